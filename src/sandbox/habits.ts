import type { Processor } from "./processor.js";
import { createProfiledCalls, type ProfiledCalls } from "./profiled-calls.js";
import { createProfiledProcessor } from "./profiled-processor.js";
import { type ProfileName, profiles } from "./profiles.js";

/** The habits of an acquirer, put around the sandbox's own. */
export interface Habits extends Pick<ProfiledCalls, "wrap"> {
  apply(processor: Processor): Processor;
}

/** Returns the habits of a profile; without a name the sandbox keeps its own. */
export function habitsOf(name: ProfileName | undefined): Habits {
  if (name === undefined) {
    return { apply: (processor) => processor, wrap: (service) => service };
  }
  const profile = profiles[name];
  const calls = createProfiledCalls(profile);
  return {
    wrap: calls.wrap,
    apply(processor) {
      const profiled = createProfiledProcessor(processor, profile, () => performance.now());
      return {
        ...profiled,
        forget(processorKey) {
          calls.forget(processorKey);
          profiled.forget(processorKey);
        },
      };
    },
  };
}
