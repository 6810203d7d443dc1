export { type Clock, sleep, systemClock } from "@payonce/client/internal";
