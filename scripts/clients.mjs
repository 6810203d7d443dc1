// node scripts/clients.mjs: the tests and checks that the clients in other languages have of
// their own, and whether what they publish holds stubs of the protos: Go's are committed, the
// others' made by each build. A language whose toolchain is not on this machine is left out,
// and said to be. What they do together is in test/real/clients.
// --summary FILE also writes { "passed": number, "failed": number, "missing": string[] } there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countGoTests, countJunitTests, execute, tests, whole } from "./lib/client-checks.mjs";
import { goStubs } from "./lib/client-stubs.mjs";
import { ensureDependencies } from "./lib/prepare.mjs";
import { projectPath } from "./lib/run.mjs";

const { values: flags } = parseArgs({ options: { summary: { type: "string" } } });

ensureDependencies();
const temporary = mkdtempSync(join(tmpdir(), "payonce-clients-"));
process.on("exit", () => rmSync(temporary, { recursive: true }));

const PYTHON = projectPath(".cache", "python", "bin", "python");
const PYTHON_TOOLS = projectPath(".cache", "python-tools");
const pytestReports = join(temporary, "pytest");
const installed = join(temporary, "installed");
const mavenReports = projectPath("clients", "java", "target", "surefire-reports");
rmSync(mavenReports, { recursive: true, force: true }); // an earlier run's would count too

/** `needs` are commands that succeed where the toolchain is complete. */
const languages = [
  {
    name: "Go",
    needs: {
      // Fails too with a version older than go.mod asks for.
      "go, as new as clients/go/go.mod says": ["go", "list", "-m"],
    },
    checks: {
      "go vet": whole("go", "go", "vet", "./..."),
      "style (gofmt)": whole("go", "sh", "-c", 'test -z "$(gofmt -l . | tee /dev/stderr)"'),
      "go test": tests("go", ["go", "test", "-count=1", "-json", "./..."], countGoTests),
      "stubs are up to date": goStubs(temporary),
    },
  },
  {
    name: "Python",
    needs: { "python3 with venv": ["python3", "-c", "import venv, ensurepip"] },
    checks: {
      "its tools can be installed": whole("python", "python3", ...installPythonTools()),
      "style (ruff)": withPythonTools("ruff", "check"),
      "format (ruff)": withPythonTools("ruff", "format", "--check"),
      "its environment and stubs can be made": whole("python", "python3", "scripts/environment.py"),
      "types (mypy)": withPythonTools("mypy", "--cache-dir", join(temporary, "mypy")),
      pytest: tests(
        "python",
        [PYTHON, "-m", "pytest", "--junit-xml", join(pytestReports, "tests.xml")],
        () => countJunitTests(pytestReports),
      ),
      "the package can be installed": whole(
        "python",
        ...["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, "."],
      ),
      "what is installed holds the stubs": whole(
        "python",
        ...["env", `PYTHONPATH=${installed}`, PYTHON, "-c"],
        "import payonce.idempotency.v1.inspection_pb2_grpc, payonce.payments.v1.payments_pb2_grpc",
      ),
    },
  },
  {
    name: "Java",
    needs: { "a JDK": ["javac", "-version"], mvn: ["mvn", "--version"] },
    checks: {
      "mvn package": tests("java", ["mvn", "--batch-mode", "package"], () =>
        countJunitTests(mavenReports),
      ),
      "the jar holds the stubs": whole(
        "java",
        "sh",
        "-c",
        'javap -cp "$(ls target/payonce-client-*.jar | grep -v sources)" "$@"',
        "--",
        ...["payments.v1.PaymentServiceGrpc", "idempotency.v1.InspectionServiceGrpc"].map(
          (name) => `dev.payonce.${name}`,
        ),
      ),
      "style (google-java-format)": whole("java", "./format", "--dry-run", "--set-exit-if-changed"),
    },
  },
];

const total = { passed: 0, failed: 0, missing: [] };
for (const { name, needs, checks } of languages) {
  const [missing] =
    Object.entries(needs).find(
      ([, command]) => execute(name.toLowerCase(), ...command).status !== 0,
    ) ?? [];
  if (missing !== undefined) {
    console.log(`MISSING ${name}: needs ${missing}`);
    total.missing.push(`${name} (needs ${missing})`);
    continue;
  }
  for (const [title, check] of Object.entries(checks)) {
    report(`${name}, ${title}`, check);
  }
}
if (flags.summary !== undefined) {
  writeFileSync(flags.summary, JSON.stringify(total));
}
process.exitCode = total.failed === 0 ? 0 : 1;

function report(title, check) {
  const start = performance.now();
  const { passed, failed, output } = check();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const verdict = failed === 0 ? "ok     " : "FAILED ";
  console.log(`${verdict} ${title}: ${passed} passed, ${failed} failed (${seconds} s)`);
  if (output !== undefined) {
    console.log(output);
  }
  total.passed += passed;
  total.failed += failed;
}

/** Those that pyproject.toml names. */
function installPythonTools() {
  const project = readFileSync(projectPath("clients", "python", "pyproject.toml"), "utf8");
  const packages = project.match(/^lint = \[(.*)\]$/m)?.[1].match(/[^", ]+/g) ?? [];
  return ["-m", "pip", "install", "--quiet", "--upgrade", "--target", PYTHON_TOOLS, ...packages];
}

function withPythonTools(...command) {
  return whole("python", "env", `PYTHONPATH=${PYTHON_TOOLS}`, "python3", "-m", ...command);
}
