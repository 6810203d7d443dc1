import type { Kind } from "../kind.js";
import { framingKinds } from "./framing.js";
import { jsonKinds } from "./json.js";
import { metadataKinds } from "./metadata.js";
import { paymentKinds } from "./payments.js";
import { protobufKinds } from "./protobuf.js";
import { readKinds } from "./reads.js";
import { socketKinds } from "./sockets.js";
import { streamKinds } from "./streams.js";

/** The whole corpus. */
export const kinds: readonly Kind[] = [
  ...protobufKinds,
  ...jsonKinds,
  ...framingKinds,
  ...metadataKinds,
  ...streamKinds,
  ...socketKinds,
  ...paymentKinds,
  ...readKinds,
];
