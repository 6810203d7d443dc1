import { serveWith } from "./serve-with.js";

// A service that compares the age of an operation with the processor's window
// as it was read, however long ago, and leaves no margin.
await serveWith({
  keyWindow: (window) => ({
    ...window,
    isOpen: ({ begunAgoMs }) => begunAgoMs <= window.windowMs,
  }),
});
