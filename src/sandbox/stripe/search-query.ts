import { invalidRequest } from "./errors.js";
import type { Intent } from "./intent.js";

// docs.stripe.com/search#search-query-language, as far as a look-up needs it.
const CLAUSE =
  /\s*(?:metadata\[(?:'(?<single>[^']*)'|"(?<double>[^"]*)")\]|(?<field>status|currency)):(?:'(?<one>(?:[^'\\]|\\.)*)'|"(?<two>(?:[^"\\]|\\.)*)")\s*(?<more>AND\s|$)/y;

// Stripe's own bound.
const CLAUSE_LIMIT = 10;

/**
 * Reads a query: `metadata['order']:'6' AND status:'succeeded'`.
 * @throws StripeError 400 if it is another.
 */
export function parseQuery(query: string): (intent: Intent) => boolean {
  const clauses: ((intent: Intent) => boolean)[] = [];
  CLAUSE.lastIndex = 0;
  for (let more = "AND"; more !== ""; ) {
    const groups = CLAUSE.exec(query)?.groups;
    if (groups === undefined || clauses.length === CLAUSE_LIMIT) {
      throw invalidRequest(
        "We were unable to parse your search query. The sandbox knows metadata['key']:'value', status:'...' and currency:'...', up to ten of them joined by AND.",
        { param: "query" },
      );
    }
    clauses.push(toClause(groups));
    more = groups.more ?? "";
  }
  return (intent) => clauses.every((clause) => clause(intent));
}

function toClause(groups: Readonly<Record<string, string | undefined>>) {
  const value = (groups.one ?? groups.two ?? "").replace(/\\(.)/g, "$1");
  switch (groups.field) {
    case "status":
      return (intent: Intent) => intent.status === value;
    case "currency":
      return (intent: Intent) => intent.currencyCode.toLowerCase() === value.toLowerCase();
    default: {
      const key = groups.single ?? groups.double ?? "";
      return (intent: Intent) => intent.metadata[key] === value;
    }
  }
}
