import Stripe from "stripe";
import { afterAll, beforeAll, expect } from "vitest";
import { GO_BUILD_LIMIT_MS } from "../../../support/go-tool.js";
import {
  buildStripeMock,
  startStripeMock,
  stripeMockAvailable,
} from "../../../support/servers/stripe-mock.js";

/** A request of Stripe's own client, and what the sandbox said to it. */
interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly answer: unknown;
}

const exchanges: Exchange[] = [];

/** The client's own way to send requests, which keeps what was sent and answered. */
export function recordingClient(): Stripe.HttpClient {
  const client = Stripe.createNodeHttpClient();
  const send = client.makeRequest.bind(client);
  client.makeRequest = async (host, port, path, method, headers, body, ...rest) => {
    const response = await send(host, port, path, method, headers, body, ...rest).catch(
      (error: Error) => {
        // By its code the client would know a closed connection, and send the
        // request a second time, whatever maxNetworkRetries says.
        throw new Error(`not answered: ${error.message}`);
      },
    );
    const read = response.toJSON.bind(response);
    response.toJSON = async () => {
      const answer: unknown = await read();
      exchanges.push({ method, path, body, status: response.getStatusCode(), answer });
      return answer;
    };
    return response;
  };
  return client;
}

/**
 * Sends all that a file's tests have sent to Stripe's own mock as well: it
 * refuses what the published OpenAPI refuses, and its answers have the fields
 * that ours must have.
 */
export function checkAgainstOpenApi(): void {
  if (!stripeMockAvailable) {
    return;
  }
  beforeAll(buildStripeMock, GO_BUILD_LIMIT_MS);
  afterAll(async () => {
    const mock = await startStripeMock();
    try {
      const problems = await Promise.all(
        exchanges.filter(({ path }) => path.startsWith("/v1/")).map(problemOf(mock.url)),
      );
      expect(problems.flat()).toEqual([]);
    } finally {
      await mock.stop();
    }
  });
}

const BY_SCHEMA = ["parameter_unknown", "parameter_missing"];

function problemOf(url: string) {
  return async ({ method, path, body, status, answer }: Exchange): Promise<string[]> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: "Bearer sk_test_123",
        "content-type": "application/x-www-form-urlencoded",
      },
      ...(method === "GET" ? {} : { body }),
    });
    const expected: unknown = await response.json();
    const what = `${method} ${path} ${body}`;
    const code = fieldOf(fieldOf(answer, "error"), "code");
    if (status === 200) {
      return response.status === 200
        ? differences(expected, answer).map((difference) => `${what}: ${difference}`)
        : [`${what}: the schema refuses it: ${JSON.stringify(expected)}`];
    }
    if (typeof code === "string" && BY_SCHEMA.includes(code)) {
      return response.status === 200 ? [`${what}: the schema accepts it`] : [];
    }
    // A card that was declined, a state that does not allow it: requests as they should be.
    const isWellFormed = [402, 409, 500, 503].includes(status);
    return isWellFormed && response.status !== 200 ? [`${what}: the schema refuses it`] : [];
  };
}

// Present only where they are expanded, or of older versions of the API.
const EXPANDED = ["refunds", "source", "total_count"];

/** The fields of the published resource that an answer lacks, or has of another type. */
function differences(expected: unknown, answer: unknown, at = ""): string[] {
  if (!isRecord(expected)) {
    return [];
  }
  if (Array.isArray(fieldOf(expected, "data"))) {
    const [expectedItem] = Object(expected).data;
    const items: unknown[] = Object(answer).data;
    return items.flatMap((item, index) => differences(expectedItem, item, `data[${index}].`));
  }
  return Object.entries(expected).flatMap(([field, value]) => {
    const ours = fieldOf(answer, field);
    if (ours === undefined) {
      return EXPANDED.includes(field) ? [] : [`${at}${field} is missing`];
    }
    // The mock expands not all that Stripe does: it has the id then.
    const isExpanded = typeof value === "string" && fieldOf(ours, "id") !== undefined;
    const isSame = ours === null || value === null || typeof ours === typeof value || isExpanded;
    return isSame ? [] : [`${at}${field} is ${typeof ours}, not ${typeof value}`];
  });
}

function fieldOf(value: unknown, field: string): unknown {
  return isRecord(value) ? value[field] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
