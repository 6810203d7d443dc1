import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { startSandbox } from "../../../src/sandbox/server.js";
import { buildSandbox, startProcess } from "./child-process.js";
import {
  authorization,
  authorize,
  capture,
  connect,
  eur,
  failure,
  listEffects,
  readLines,
  runSandbox,
  temporaryDirectory,
  verdict,
} from "./support.js";

function start(dataDir: string, log: (line: string) => void = () => undefined) {
  return startSandbox({ listen: { host: "127.0.0.1", port: 0 }, dataDir, log });
}

describe("after a restart", () => {
  it("every key has the answer it had, and every payment its account", async () => {
    const { call, dataDir, sandbox } = await runSandbox();
    const declined = authorization({ processorKey: "key-2", paymentMethod: "tok_declined" });
    const captured = { processorKey: "key-3", paymentId: "payment-1", amount: eur(700n) };
    const replies = [
      await call(authorize, authorization()),
      await call(authorize, declined),
      await call(capture, captured),
    ];
    const { effects } = await call(listEffects, {});
    await sandbox.close();

    const restarted = await runSandbox(dataDir);

    expect([
      await restarted.call(authorize, authorization()),
      await restarted.call(authorize, declined),
      await restarted.call(capture, captured),
    ]).toEqual(replies);
    expect(await restarted.call(listEffects, {})).toMatchObject({ effects, calls: 3n });
    const changed = { ...declined, amount: eur(1n) };
    const reused = await failure(restarted.call(authorize, changed));
    expect(reused.code).toBe(status.FAILED_PRECONDITION);
    const tooMuch = { ...captured, processorKey: "key-4" };
    expect(verdict(await restarted.call(capture, tooMuch))).toBe("amount_exceeds_authorized");
  });

  it("tok_drop_reply answers, because the key's first call was before", async () => {
    const request = authorization({ paymentMethod: "tok_drop_reply" });
    const { call, dataDir, sandbox } = await runSandbox();
    await failure(call(authorize, request));
    await sandbox.close();

    const restarted = await runSandbox(dataDir);

    expect(verdict(await restarted.call(authorize, request))).toBe("approved");
  });

  it("a line that a crash cut short is gone, and what comes next is whole", async () => {
    const { call, dataDir, sandbox } = await runSandbox();
    await call(authorize, authorization());
    await sandbox.close();
    const path = join(dataDir, "journal.jsonl");
    const whole = await readFile(path, "utf8");
    await appendFile(path, whole.slice(0, 50));

    const log: string[] = [];
    const restarted = await start(dataDir, (line) => log.push(line));
    expect(log[0]).toContain("journal.jsonl: cut off 50 bytes");
    await connect(restarted.address).call(
      authorize,
      authorization({ processorKey: "key-2", paymentId: "payment-2" }),
    );
    await restarted.close();

    const lines = await readLines(dataDir);
    expect(lines[0]).toBe(whole.trimEnd());
    expect(lines.map((line) => JSON.parse(line).processor_key)).toEqual(["key-1", "key-2"]);
  });

  it.each([
    ["that is not JSON", (line: string) => `nonsense\n${line}\n`, "line 1"],
    ["that is there twice", (line: string) => `${line}\n${line}\n`, "line 2"],
    ["that lacks its key", (line: string) => `${line.replace(/"key-1"/, '""')}\n`, "line 1"],
  ])("a journal line %s stops the start", async (_, spoil, place) => {
    const { call, dataDir, sandbox } = await runSandbox();
    await call(authorize, authorization());
    await sandbox.close();
    const path = join(dataDir, "journal.jsonl");
    const spoiled = spoil((await readFile(path, "utf8")).trimEnd());
    await writeFile(path, spoiled);

    await expect(start(dataDir)).rejects.toThrow(`${path}, ${place} is not understood`);

    expect(await readFile(path, "utf8")).toBe(spoiled);
  });
});

describe("a data directory", () => {
  it("serves one sandbox at a time, and the next once it is closed", async () => {
    const { dataDir, sandbox } = await runSandbox();
    await expect(start(dataDir)).rejects.toThrow("is in use by the running process");

    await sandbox.close();

    await (await start(dataDir)).close();
  });

  it("whose lock names a pid that another process got meanwhile is taken over", async () => {
    const dataDir = await temporaryDirectory();
    await writeFile(join(dataDir, `.lock-${process.pid}-1`), "");

    await (await start(dataDir)).close();
  });

  it("is free again after a start that failed", async () => {
    const { sandbox } = await runSandbox();
    const port = Number(sandbox.address.split(":")[1]);
    const dataDir = await temporaryDirectory();
    await expect(startSandbox({ listen: { host: "127.0.0.1", port }, dataDir })).rejects.toThrow(
      "EADDRINUSE",
    );

    await (await start(dataDir)).close();
  });
});

describe("a sandbox process", () => {
  it("that is killed with kill -9 has lost nothing that it answered", {
    timeout: 30_000,
  }, async () => {
    const main = await buildSandbox();
    const dataDir = await temporaryDirectory();
    const first = await startProcess(main, dataDir);
    const declined = authorization({ processorKey: "key-2", paymentMethod: "tok_declined" });
    const approval = await first.call(authorize, authorization());
    const decline = await first.call(authorize, declined);
    await expect(start(dataDir)).rejects.toThrow("is in use by the running process");
    await first.kill();

    const second = await startProcess(main, dataDir);

    expect(await second.call(authorize, authorization())).toEqual(approval);
    expect(await second.call(authorize, declined)).toEqual(decline);
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it("that is killed under load has every answered effect, once", { timeout: 30_000 }, async () => {
    const main = await buildSandbox();
    const dataDir = await temporaryDirectory();
    const first = await startProcess(main, dataDir);
    const answered: string[] = [];
    const payUntilCutOff = async (client: number) => {
      for (let index = 0; index < 10_000; index += 1) {
        const name = `${client}-${index}`;
        await first.call(authorize, authorization({ processorKey: name, paymentId: name }));
        answered.push(name);
        if (answered.length === 500) {
          await first.kill();
        }
      }
    };
    const clients = Array.from({ length: 50 }, (_, client) => failure(payUntilCutOff(client)));
    await Promise.all(clients);

    const second = await startProcess(main, dataDir);
    const { effects } = await second.call(listEffects, { pageSize: 10_000 });
    const journaled = effects.map((effect) => effect.processorKey);

    expect(new Set(journaled).size).toBe(journaled.length);
    expect(answered.filter((key) => !journaled.includes(key))).toEqual([]);
  });
});
