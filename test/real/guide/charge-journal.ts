import { appendFile, readFile } from "node:fs/promises";
import type { LockOnly } from "../../../docs/guide/snippets/lock-only.js";

/** What a card was charged, and what was answered, in a file that processes share. */
export function openChargeJournal(path: string) {
  async function lines(): Promise<readonly string[]> {
    return (await readFile(path, "utf8")).split("\n");
  }
  const answers: LockOnly["answers"] = {
    get: async (key) => ((await lines()).includes(`answered ${key}`) ? "charged" : undefined),
    set: (key) => appendFile(path, `answered ${key}\n`),
  };
  return {
    answers,
    async charge(key: string): Promise<string> {
      await appendFile(path, `charged ${key}\n`);
      return "charged";
    },
    charges: async (key: string) =>
      (await lines()).filter((line) => line === `charged ${key}`).length,
  };
}
