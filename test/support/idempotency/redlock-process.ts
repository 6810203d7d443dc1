import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import Redlock, { type Lock } from "redlock";

// A process that locks with the redlock package. Each line of its input is a
// step: acquire <name> <ms>, extend <ms> or release. It answers each with
// whether that worked.

const nodes = process.argv.slice(2).map((url) => new Redis(url));
const redlock = new Redlock(nodes, { retryCount: 0 });
let held: Lock | undefined;

async function take(step: string, [first = "", second = ""]: readonly string[]): Promise<unknown> {
  switch (step) {
    case "acquire":
      held = await redlock.acquire([first], Number(second));
      return held;
    case "extend":
      held = await held?.extend(Number(first));
      return held;
    case "release":
      return held?.release();
    default:
      throw new Error(`there is no step ${step}`);
  }
}

for await (const line of createInterface(process.stdin)) {
  const [step = "", ...rest] = line.split(" ");
  const worked = await take(step, rest).then(
    (result) => result !== undefined,
    () => false,
  );
  console.log(worked);
}
for (const node of nodes) {
  node.disconnect();
}
