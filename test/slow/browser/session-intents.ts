import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import type { Intent, IntentStore } from "../../../clients/typescript/src/browser.js";

/** `sessionStorage`: survives reloads, and no other tab sees it. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

const INTENT = "intent/";
const SETTLED = "settled/";

/** Keeps the intents of one tab. It writes at once, so no other call comes between. */
export function sessionIntentStore(storage: WebStorage): IntentStore {
  return {
    async save(intent) {
      const saved = storage.getItem(INTENT + intent.name) ?? toText(intent);
      storage.setItem(INTENT + intent.name, saved);
      return fromText(saved);
    },
    async settle(name) {
      storage.setItem(SETTLED + name, "");
    },
    async unfinished(limit) {
      return Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "")
        .filter((item) => item.startsWith(INTENT))
        .map((item) => fromText(storage.getItem(item) ?? ""))
        .filter(({ name }) => storage.getItem(SETTLED + name) === null)
        .sort((a, b) => a.createTime.getTime() - b.createTime.getTime())
        .slice(0, limit);
    },
  };
}

function toText({ name, key, request, createTime }: Intent): string {
  return JSON.stringify({ name, key, request: base64Encode(request), createTime });
}

function fromText(text: string): Intent {
  const saved: Record<"name" | "key" | "request" | "createTime", string> = JSON.parse(text);
  return {
    name: saved.name,
    key: saved.key,
    request: base64Decode(saved.request),
    createTime: new Date(saved.createTime),
  };
}
