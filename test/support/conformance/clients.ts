import { spawnSync } from "node:child_process";

/** A client that there is a driver of. */
export interface ClientUnderTest {
  readonly name: string;
  /** The driver, below `clients`. */
  readonly driver: string;
  readonly language: "TypeScript" | "Go" | "Python" | "Java";
}

const all: readonly (ClientUnderTest & { readonly needs: readonly string[][] })[] = [
  { name: "grpc-js", driver: "typescript/driver", language: "TypeScript", needs: [] },
  { name: "connect", driver: "typescript/driver-connect", language: "TypeScript", needs: [] },
  { name: "go", driver: "go/driver", language: "Go", needs: [["go", "version"]] },
  {
    name: "python",
    driver: "python/driver",
    language: "Python",
    needs: [["python3", "-c", "import venv, ensurepip"]],
  },
  {
    name: "python-sync",
    driver: "python/driver-sync",
    language: "Python",
    needs: [["python3", "-c", "import venv, ensurepip"]],
  },
  {
    name: "java",
    driver: "java/driver",
    language: "Java",
    needs: [
      ["javac", "-version"],
      ["mvn", "--version"],
    ],
  },
];

const wanted = process.env.CLIENTS?.split(",");

/**
 * The clients whose toolchain is on this machine; a subset of them if the
 * variable CLIENTS names some, separated by commas.
 */
export const clients: readonly ClientUnderTest[] = all.filter(({ name, needs }) => {
  if (wanted !== undefined && !wanted.includes(name)) {
    return false;
  }
  const missing = needs.find(([program = "", ...flags]) => spawnSync(program, flags).status !== 0);
  if (missing !== undefined) {
    console.warn(`The client ${name} is left out: it needs ${missing[0]}`);
  }
  return missing === undefined;
});
