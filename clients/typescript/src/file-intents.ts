import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createFile, createFolder, readIfThere } from "./durable-files.js";
import type { Intent, IntentStore } from "./intents.js";

const INTENT = ".json";
const SETTLED = ".settled";

/**
 * Makes a store of intents in a folder of its own, for the processes of one machine. Each intent
 * is a file that is written whole or not at all, and stays; a second, empty one
 * beside it says that it is settled. Needs a file system with hard links. Files
 * of settled intents may be deleted, both of a pair, once the service has
 * forgotten their keys.
 */
export function fileIntentStore({ folder }: { readonly folder: string }): IntentStore {
  const root = resolve(folder);
  const pathOf = (name: string, ending: string) => join(root, `${hashOf(name)}${ending}`);

  async function read(path: string): Promise<Intent | undefined> {
    const text = await readIfThere(path);
    return text === undefined ? undefined : fromText(text, path);
  }

  return {
    async save(intent) {
      const path = pathOf(intent.name, INTENT);
      await createFolder(root);
      await createFile(path, toText(intent));
      const saved = await read(path);
      if (saved === undefined) {
        throw new Error(`${path} was deleted while its intent was being saved`);
      }
      return saved;
    },

    async settle(name) {
      if ((await read(pathOf(name, INTENT))) === undefined) {
        throw new Error(`there is no intent ${JSON.stringify(name)} to settle`);
      }
      await createFile(pathOf(name, SETTLED), "");
    },

    async unfinished(limit) {
      await createFolder(root);
      const files = new Set(await readdir(root));
      const found: Intent[] = [];
      for (const file of files) {
        const hash = file.slice(0, -INTENT.length);
        if (file.endsWith(INTENT) && !files.has(`${hash}${SETTLED}`)) {
          const intent = await read(join(root, file));
          found.push(...(intent === undefined ? [] : [intent]));
        }
      }
      return found.sort((a, b) => a.createTime.getTime() - b.createTime.getTime()).slice(0, limit);
    },
  };
}

/** A name may be longer than a file's, and hold any character. */
function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function toText({ name, key, request, createTime }: Intent): string {
  const encoded = Buffer.from(request).toString("base64");
  return `${JSON.stringify({ name, key, request: encoded, createTime })}\n`;
}

function fromText(text: string, path: string): Intent {
  const fields: unknown = JSON.parse(text);
  if (
    typeof fields !== "object" ||
    fields === null ||
    !("name" in fields && typeof fields.name === "string") ||
    !("key" in fields && typeof fields.key === "string") ||
    !("request" in fields && typeof fields.request === "string") ||
    !("createTime" in fields && typeof fields.createTime === "string")
  ) {
    throw new Error(`${path} does not hold an intent`);
  }
  const { name, key, request, createTime } = fields;
  return {
    name,
    key,
    request: Buffer.from(request, "base64"),
    createTime: new Date(createTime),
  };
}
