import { once } from "node:events";
import { createServer } from "node:http2";
import { ANSWER_BYTES } from "./answer.js";
import { answering } from "./answering.js";

// Answers every call with the same bytes and does nothing else: what is left is
// what the load generator itself can do.
const frame = Buffer.concat([Buffer.alloc(5), ANSWER_BYTES]);
frame.writeUInt32BE(ANSWER_BYTES.length, 1);
let calls = 0;

const server = createServer();
server.on("stream", (stream) => {
  calls += 1;
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frame);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;

answering(() => ({ address: `127.0.0.1:${port}`, executions: calls }));
