export { Code, toCode } from "@payonce/client/internal";
