import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SOURCE = fileURLToPath(new URL("../../../../src", import.meta.url));

it("nothing loads Stripe's package but the first call of its adapter, or its first webhook", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const loading = files.filter((name) => {
    const text = readFileSync(join(SOURCE, name), "utf8");
    return /^(?!import type ).*\bfrom "stripe"|import\("stripe"\)/m.test(text);
  });
  expect(loading.sort()).toEqual(
    ["api.ts", "webhook.ts"].map((name) => join("payments", "processors", "stripe", name)),
  );
});
