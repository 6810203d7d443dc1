import { withErrorPrefix } from "../server/error-prefix.js";
import { DirectoryInUseError, type DirectoryLock, lockDirectory } from "./directory-lock.js";
import { makeDirectory } from "./make-directory.js";

/**
 * Makes DATA_DIR, or a folder in it, where it is missing, and keeps it for this
 * process.
 * @throws if another one has it, or it cannot be made; the message names DATA_DIR.
 */
export async function lockDataDirectory(path: string): Promise<DirectoryLock> {
  return withErrorPrefix("DATA_DIR", async () => {
    await makeDirectory(path);
    try {
      return await lockDirectory(path);
    } catch (error) {
      throw error instanceof DirectoryInUseError
        ? new Error(`${error.message}; stop it, or choose another DATA_DIR`, { cause: error })
        : error;
    }
  });
}
