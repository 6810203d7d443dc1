import { once } from "node:events";
import { connect } from "node:net";

/** Posts a payment with these headers, byte for byte (latin1), and returns all that comes back. */
export async function postRaw(
  address: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {}); // it may be cut off
  let received = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    received += part;
  });
  const body = '{"amount":{"currencyCode":"EUR","minorUnits":"100"},"paymentMethod":"tok_visa"}';
  const all = {
    host: address,
    "content-type": "application/json",
    "content-length": String(body.length),
    connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  const head = ["POST /payonce.payments.v1.PaymentService/CreatePayment HTTP/1.1", ...lines];
  socket.write(Buffer.from([...head, "", body].join("\r\n"), "latin1"));
  await once(socket, "close");
  return received;
}
