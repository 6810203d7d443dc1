import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a directory, and those above it, where they are missing. Node's own
 * `recursive` goes round and round where a file system answers ENOENT to a name
 * that it will never make, as /proc does; this asks twice at most.
 */
export async function makeDirectory(path: string): Promise<void> {
  const directory = resolve(path);
  const parent = dirname(directory);
  try {
    await makeOne(directory);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || parent === directory) {
      throw error;
    }
    await makeDirectory(parent);
    await makeOne(directory);
  }
}

async function makeOne(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    // Another process that starts at the same time may make it, too.
    if (codeOf(error) !== "EEXIST" || !(await stat(directory)).isDirectory()) {
      throw error;
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
