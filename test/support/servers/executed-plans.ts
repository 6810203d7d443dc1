import pg, { type PoolClient } from "pg";

/** A scan of a table, as a statement made it. */
export interface Scan {
  readonly table: string;
  readonly node: string;
  /** Absent where the table itself was read. */
  readonly index?: string;
  /** What was read, also where it was thrown away. */
  readonly rows: number;
  readonly statement: string;
}

/** A part of what auto_explain writes: https://www.postgresql.org/docs/current/auto-explain.html */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly PlanNode[];
}

/**
 * Lets every new connection of a database tell of the plans that it executes, also
 * those of statements that others make: of foreign keys, functions and triggers.
 */
export async function tellPlans(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const name = new URL(url).pathname.slice(1);
    for (const [setting, value] of [
      ["session_preload_libraries", "auto_explain"],
      ["auto_explain.log_min_duration", "0"],
      ["auto_explain.log_analyze", "on"],
      ["auto_explain.log_timing", "off"],
      ["auto_explain.log_nested_statements", "on"],
      ["auto_explain.log_format", "json"],
      ["auto_explain.log_level", "notice"],
    ]) {
      await client.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
    }
  } finally {
    await client.end();
  }
}

/** Collects the scans of the tables that are named, of connections that tell of their plans. */
export function collectScans(tables: readonly string[]) {
  const scans: Scan[] = [];
  const visit = (node: PlanNode, statement: string): void => {
    const table = node["Relation Name"];
    if (table !== undefined && tables.includes(table) && node["Node Type"].endsWith("Scan")) {
      const index = node["Index Name"];
      const each =
        (node["Actual Rows"] ?? 0) +
        (node["Rows Removed by Filter"] ?? 0) +
        (node["Rows Removed by Index Recheck"] ?? 0);
      scans.push({
        table,
        node: node["Node Type"],
        ...(index === undefined ? {} : { index }),
        rows: each * (node["Actual Loops"] ?? 1),
        statement,
      });
    }
    for (const inner of node.Plans ?? []) {
      visit(inner, statement);
    }
  };
  return {
    listen(client: PoolClient): void {
      client.on("notice", ({ message = "" }) => {
        const at = message.indexOf("plan:\n");
        if (at >= 0) {
          // Written by Postgres in this form.
          const told = JSON.parse(message.slice(at + "plan:\n".length)) as {
            readonly "Query Text": string;
            readonly Plan: PlanNode;
          };
          visit(told.Plan, told["Query Text"]);
        }
      });
    },
    /** The scans since the last time. */
    take: (): readonly Scan[] => scans.splice(0),
  };
}
