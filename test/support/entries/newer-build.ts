import { withNewerForm } from "./newer-form.js";
import { serveWith } from "./serve-with.js";

// A service of a later build, whose canonical form of requests is another one.
await serveWith({ gate: withNewerForm });
