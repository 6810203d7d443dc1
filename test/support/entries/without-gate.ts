import { serveWith } from "./serve-with.js";

// A service whose every duplicate reaches the store of record.
await serveWith({ gate: (record) => record });
