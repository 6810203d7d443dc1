// A process that owns the lock and is about to charge: it says so, and goes on
// with the next line of its input. Arguments: journal, lockMs, key, nodes.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { chargeUnderLock } from "../../../docs/guide/snippets/lock-only.js";
import { openChargeJournal } from "./charge-journal.js";

const [path = "", lockMs = "", key = "", ...urls] = process.argv.slice(2);
const journal = openChargeJournal(path);
const nodes = urls.map((url) => new Redis(url).on("error", () => {}));
const input = createInterface(process.stdin);
const redlock = new Redlock(nodes, { retryCount: 0 });

await chargeUnderLock(
  {
    redlock,
    lockMs: Number(lockMs),
    answers: journal.answers,
    async charge() {
      console.log("about to charge");
      await once(input, "line");
      return journal.charge(key);
    },
  },
  key,
);
process.exit(0);
