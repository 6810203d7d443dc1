import { createGenerator } from "../load/run.js";
import { answering } from "./answering.js";

// The load generator, in a process of its own so that its cost can be told.
answering(createGenerator());
