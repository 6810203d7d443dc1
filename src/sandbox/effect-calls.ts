import { type Behaviour, PLAIN } from "./behaviours.js";
import type { ArmedFaults, FaultTarget } from "./faults.js";
import { type InterruptedCall, interrupt } from "./interruptions.js";

/** Serves the calls for an effect, of every face, with the interruptions that faults and tokens ask for. */
export interface EffectCalls {
  /** How many calls have arrived. */
  total(): number;
  /** How many calls with this key were understood. */
  countOf(processorKey: string): number;
  /** Counts a call that is not understood yet. */
  arrive(): void;
  /** @throws ConnectError where an interruption ends the call, and what `act` throws. */
  perform<Answer>(call: EffectCall<Answer>): Promise<Answer>;
}

export interface EffectCall<Answer> {
  readonly target: FaultTarget;
  readonly transport: InterruptedCall;
  /** Returns the way in which a key's n-th call is served that has no answer yet. */
  readonly behaviour: (keyCalls: number) => Behaviour;
  /** Does the work; `isFirst` for the call that brought its answer about. */
  readonly act: (declineCode: string | undefined) => Promise<Acted<Answer>>;
}

export interface Acted<Answer> {
  readonly answer: Answer;
  readonly isFirst: boolean;
}

export interface EffectCallsOptions {
  readonly faults: ArmedFaults;
  /** Forgets the answer of a key. */
  readonly forget: (processorKey: string) => void;
}

export function createEffectCalls({ faults, forget }: EffectCallsOptions): EffectCalls {
  let total = 0;
  const callsByKey = new Map<string, number>();

  return {
    total: () => total,
    countOf: (processorKey) => callsByKey.get(processorKey) ?? 0,
    arrive() {
      total += 1;
    },
    async perform({ target, transport, behaviour, act }) {
      const keyCalls = (callsByKey.get(target.processorKey) ?? 0) + 1;
      callsByKey.set(target.processorKey, keyCalls);

      const fault = faults.meetEffect(target);
      if (fault.forgetsKey) {
        forget(target.processorKey);
      }
      const own = behaviour(keyCalls);

      await interrupt([...fault.before, ...own.before], transport);
      const { answer, isFirst } = await act(fault.declineCode ?? own.declineCode);
      await interrupt([...(isFirst ? own.after : PLAIN.after), ...fault.after], transport);
      return answer;
    },
  };
}
