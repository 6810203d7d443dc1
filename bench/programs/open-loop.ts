import { runOpenLoop } from "../load/open-loop.js";
import { answering } from "./answering.js";

// Callers that come at their own pace, in a process of their own.
answering(runOpenLoop);
