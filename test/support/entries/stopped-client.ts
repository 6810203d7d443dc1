import { once } from "node:events";
import { connect } from "node:http2";

// A gRPC client that sends one call, says so, and keeps its connection.

const [, , address = "", path = "", base64 = ""] = process.argv;
const message = Buffer.from(base64, "base64");
const frame = Buffer.alloc(5 + message.length);
frame.writeUInt32BE(message.length, 1);
message.copy(frame, 5);

const session = connect(`http://${address}`);
await once(session, "remoteSettings");
const stream = session.request({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc",
  te: "trailers",
});
stream.end(frame);
stream.resume();
await once(stream, "finish");
console.log("sent");
