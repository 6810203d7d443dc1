import { runReaders } from "../load/readers.js";
import { answering } from "./answering.js";

// Readers of lists, in a process of their own.
answering(runReaders);
