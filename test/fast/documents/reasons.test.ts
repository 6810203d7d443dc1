import { readdirSync, readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { ERROR_DOMAIN, errorOutcome, refusal } from "../../../src/idempotency/answers/errors.js";
import { type Reason, reasons } from "../../../src/idempotency/answers/reasons.js";

const SOURCE = new URL("../../../src/", import.meta.url);
const GUIDE = new URL("../../../docs/guide/clients.md", import.meta.url);

const all = Object.keys(reasons) as Reason[];

function nameOf(code: number): string | undefined {
  return Object.entries(Code).find(([, value]) => value === code)?.[0];
}

const sources = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.startsWith("gen/"))
  .map((path) => ({ path, text: readFileSync(new URL(path, SOURCE), "utf8") }));

it("only one file makes an ErrorInfo", () => {
  const makers = sources.filter(({ text }) => text.includes("create(ErrorInfoSchema"));
  expect(makers.map(({ path }) => path)).toEqual(["idempotency/answers/errors.ts"]);
});

it("no error gets its reason anywhere but from the table", () => {
  const written = sources.filter(({ text }) => /\breason: ["'`][A-Z_]+["'`],/.test(text));
  expect(written.map(({ path }) => path)).toEqual([]);
});

it.each(all)("%s comes with the code, and what to do next, of its row", (reason) => {
  const { code, trailers } = errorOutcome(refusal(reason, "why"));
  const [, details] = trailers.find(([name]) => name === "grpc-status-details-bin") ?? [];
  const [packed] = fromBinary(StatusSchema, details as Uint8Array).details;
  expect(code).toBe(reasons[reason].codes[0]);
  expect(packed && anyUnpack(packed, ErrorInfoSchema)).toMatchObject({
    reason,
    domain: ERROR_DOMAIN,
    metadata: { next: reasons[reason].nexts[0] },
  });
});

it("the guide tells of every reason what its codes and next steps are, and of no other", () => {
  const rows = readFileSync(GUIDE, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, reason, codes, nexts] = /^\| `([A-Z_]+)` *\|([^|]*)\|([^|]*)\|/.exec(line) ?? [];
      return reason === undefined ? [] : [[reason, listOf(codes), listOf(nexts)]];
    });
  const table = all.map((reason) => {
    const { codes, nexts } = reasons[reason];
    return [reason, codes.map(nameOf), [...nexts]];
  });
  expect(rows.sort()).toEqual(table.sort());
});

function listOf(cell = ""): string[] {
  return cell.replaceAll("`", "").trim().split(", ");
}
