import { expect, it, vi } from "vitest";
import { reportLostConnection } from "../../../src/server/commands/lost-connection.js";

it("a command whose database connection is lost says so, by the setting", () => {
  const print = vi.spyOn(console, "error").mockImplementation(() => {});
  reportLostConnection(new Error("terminating connection due to administrator command"));
  expect(print.mock.calls).toEqual([
    ["DATABASE_URL: a connection was lost: terminating connection due to administrator command"],
  ]);
  print.mockRestore();
});
