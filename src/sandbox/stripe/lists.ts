import type { JsonObject } from "@bufbuild/protobuf";
import { noSuch } from "./errors.js";
import type { CreatedRange } from "./parameters.js";

/** Which part of a list is asked for. */
export interface PageRequest {
  readonly limit: number;
  readonly starting_after?: string | undefined;
  readonly ending_before?: string | undefined;
  readonly created: CreatedRange;
}

/** An object of a list. */
export interface Listed {
  readonly id: string;
  readonly createTimeMs: number;
  /** An armed fault hides it from this call. */
  readonly isHidden: () => boolean;
  readonly toJson: () => JsonObject;
}

export interface Page {
  readonly data: JsonObject[];
  readonly hasMore: boolean;
  /** The cursor of the next page. */
  readonly lastId: string;
}

/** A page as Stripe's list object. @throws StripeError if a cursor names no object. */
export function listPage(objects: Iterable<Listed>, request: PageRequest, url: string): JsonObject {
  const { data, hasMore } = findPage(objects, request);
  return { object: "list", url, has_more: hasMore, data };
}

/**
 * Pages through objects from the newest to the oldest, as Stripe's lists do.
 * @throws StripeError if a cursor names none of them.
 */
export function findPage(
  objects: Iterable<Listed>,
  { limit, starting_after: after, ending_before: before, created }: PageRequest,
): Page {
  const page: Listed[] = [];
  let isAfterStart = after === undefined;
  let isBeforeEnd = before === undefined;
  let hasMore = false;
  for (const object of objects) {
    if (object.id === before) {
      isBeforeEnd = true;
      break;
    }
    if (isAfterStart && isCreatedIn(created, object) && !object.isHidden()) {
      page.push(object);
      if (page.length > limit) {
        hasMore = true;
        if (before === undefined) {
          page.pop();
          break;
        }
        page.shift(); // those next to the cursor are the page
      }
    }
    isAfterStart ||= object.id === after;
  }
  const missing = isAfterStart ? "ending_before" : "starting_after";
  if (!isAfterStart || !isBeforeEnd) {
    throw noSuch("object", (isAfterStart ? before : after) ?? "", missing, 400);
  }
  return { data: page.map(({ toJson }) => toJson()), hasMore, lastId: page.at(-1)?.id ?? "" };
}

function isCreatedIn(range: CreatedRange, { createTimeMs }: Listed): boolean {
  const created = Math.floor(createTimeMs / 1_000);
  return (
    created > (range.gt ?? -1) &&
    created >= (range.gte ?? 0) &&
    created < (range.lt ?? Number.POSITIVE_INFINITY) &&
    created <= (range.lte ?? Number.POSITIVE_INFINITY)
  );
}
