import { mkdir } from "node:fs/promises";
import {
  DirectoryInUseError,
  type DirectoryLock,
  lockDirectory,
} from "../../runtime/directory-lock.js";

/**
 * Makes DATA_DIR, or a folder in it, where it is missing, and keeps it for this
 * process. Throws with a message that names DATA_DIR when another one has it.
 */
export async function lockDataDirectory(path: string): Promise<DirectoryLock> {
  await mkdir(path, { recursive: true });
  try {
    return await lockDirectory(path);
  } catch (error) {
    if (!(error instanceof DirectoryInUseError)) throw error;
    throw new Error(
      `DATA_DIR: ${error.path} is in use by the running process ${error.holderPid}; ` +
        "stop it, or choose another DATA_DIR",
      { cause: error },
    );
  }
}
