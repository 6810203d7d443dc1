import { execFileSync } from "node:child_process";
import { CommanderError } from "commander";
import { describe, expect, it, vi } from "vitest";
import { commandLine, usageProblem } from "../../../src/server/commands/command-line.js";

/** What a command line prints, and what is wrong with it. */
async function typed(...args: readonly string[]) {
  const output: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output.push(String(text));
    return true;
  });
  const log = vi.spyOn(console, "log").mockImplementation((text) => output.push(text));
  try {
    await commandLine().parseAsync(args, { from: "user" });
    return { output: output.join("") };
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { output: output.join("") };
    }
    return { output: output.join(""), problem: usageProblem(error) };
  } finally {
    write.mockRestore();
    log.mockRestore();
  }
}

describe("the command line", () => {
  it("says its version", async () => {
    expect((await typed("--version")).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [
      ["serv"],
      'there is no command "serv"; there are serve, sandbox, migrate, storm, inspect, audit, reconcile, webhooks (Did you mean serve?)',
    ],
    [["serve", "--grpc-lisen", "x"], "unknown option '--grpc-lisen' (Did you mean --grpc-listen?)"],
    [["serve", "here"], "too many arguments for 'serve'. Expected 0 arguments but got 1."],
    [["storm", "--calls", "many"], "--calls accepts a whole number from 1 to 100000"],
    [["storm", "--calls", "2", "--keys", "3"], "--keys accepts a whole number from 1 to 2"],
    [
      ["inspect", "--state", "odd"],
      "--state accepts executing, held, completed, expired, released",
    ],
    [["audit", "--version"], "unknown option '--version'"],
    [["inspect", "--target", "x"], "--target accepts host:port, such as 127.0.0.1:50051"],
    [
      ["inspect", "--tls-key-file", "k"],
      "--tls-cert-file and --tls-key-file are accepted only together",
    ],
  ])("%j is refused in one line", async (args, problem) => {
    expect((await typed(...args)).problem).toBe(problem);
  });

  it.each(["--response-cache-secre=hunter2", "--insecure=hunter2", "--log-level=hunter2"])(
    "never repeats a value: %s",
    async (flag) => {
      const { output, problem } = await typed("serve", flag);
      expect(problem).toContain(flag.split("=")[0]);
      expect(output + problem).not.toContain("hunter2");
    },
  );
});

describe("payonce completion", () => {
  it.each(["bash", "zsh", "fish"])("%s knows every command and every flag", async (shell) => {
    const { output } = await typed("completion", shell);
    for (const command of commandLine().commands.filter((one) => one.name() !== "help")) {
      expect(output).toContain(command.name());
      for (const option of command.options) {
        expect(output).toContain(option.name());
      }
    }
  });

  it.each([
    ["payonce mig", ["migrate"]],
    ["payonce inspect --st", ["--state"]],
    ["payonce inspect --state h", ["held"]],
    ["payonce serve --grpc-listen 1", []],
    ["payonce completion ", ["bash", "zsh", "fish"]],
  ])("bash completes %j", async (line, expected) => {
    const { output } = await typed("completion", "bash");
    const words = line.split(" ").map((word) => `'${word}'`);
    const press = `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _payonce; echo "\${COMPREPLY[@]}"`;
    const completed = execFileSync("bash", ["-c", `${output}\n${press}`], { encoding: "utf8" });
    expect(completed.trim().split(" ").filter(Boolean)).toEqual(expected);
  });
});
