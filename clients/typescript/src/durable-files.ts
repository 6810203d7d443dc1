import { randomUUID } from "node:crypto";
import { link, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Requests name payment methods: for their owner alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Creates the folder, and those above it, so that a crash cannot take them back. */
export async function createFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) {
    return;
  }
  for (let created = path; created.length >= first.length; created = dirname(created)) {
    await syncFolder(dirname(created));
  }
}

/**
 * Writes a file unless there is one of its name. Whether this call wrote it or
 * another one did, the whole file is on the disk once this resolves.
 */
export async function createFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.tmp`;
  const handle = await open(unfinished, "wx", FILE_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // Unlike a rename, it never replaces: the first writer wins.
    await link(unfinished, path);
  } catch (error) {
    if (!isErrorWithCode(error, "EEXIST")) {
      throw error;
    }
  } finally {
    await rm(unfinished);
  }
  await syncFolder(dirname(path));
}

/** The file's text; undefined if there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path);
    try {
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isErrorWithCode(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

/** The names in a folder are safe from a crash only after this. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isErrorWithCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
