import { createKeyWindow, type ReadMoment } from "../../src/payments/key-window.js";
import { createDecidedProcessor } from "../../src/payments/processors/decided.js";
import { createRandom, type Random } from "../support/random.js";
import { scopeOf } from "./calls.js";
import { createDatabase, type Database } from "./database.js";
import { batchCalls } from "./database-batches.js";
import { planFaults } from "./faults.js";
import { createFirstWork } from "./first-work.js";
import { createHandlers, type HandlerDependencies } from "./handlers.js";
import { createHost, type Host, type Strike } from "./host.js";
import { createNetwork, createServer, FAIR_WEATHER, type Network } from "./network.js";
import { createObserver, type Observer } from "./observer.js";
import { createOperator, type Operator } from "./operator.js";
import { drawPlan, type Plan } from "./plan.js";
import { createProcessor, LONGEST_CALL_MS, type Processor } from "./processor.js";
import { connectProcessor } from "./processor-client.js";
import { createRedisNode } from "./redis-node.js";
import { connectDatabase, DATABASE_TIMEOUT_MS, type RemoteDatabase } from "./remote-database.js";
import { checkReservations } from "./reservations.js";
import { createRestores, watchIdentity } from "./restores.js";
import type { Sabotage } from "./sabotage.js";
import { createScheduler, type Scheduler } from "./scheduler.js";
import { createSends } from "./sends.js";
import { createGate, type Service, startService } from "./service.js";
import { createSteps, STEP_RULES } from "./steps.js";
import { createTrace, type Trace } from "./trace.js";

/** How long a process may take to send what comes together: its event loop is busy. */
const GATHERING_MS = 100;

const RESTART_MS = { least: 100, most: 5_000 };

const STRIKES: readonly Strike[] = ["crash_before", "crash_after", "sleep"];

/** Which of a process's first messages may be struck. */
const STRUCK_MESSAGES = 80;

const REDIS_NODES = ["redis1", "redis2", "redis3"];

/** When a world begins, by a clock that is right. Milliseconds since the epoch. */
const EPOCH_MS = Date.UTC(2030, 0, 1);

/** How far clocks are off, by whether they are wrong. Milliseconds. */
const CLOCK_OFFSET_MS = { right: 100, wrong: 20_000 };

/** Service processes, a database, Redis nodes and a processor, and all that goes wrong between them. */
export interface World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly network: Network;
  readonly trace: Trace;
  readonly observer: Observer;
  readonly database: Database;
  readonly processor: Processor;
  readonly operator: Operator;
  /** The process that runs at a place now. */
  serviceAt(place: number): Service;
  /** From now on everything works; what is on its way still arrives. */
  endFaults(): void;
}

/** Everything in it follows from the seed. */
export function createWorld(
  seed: number,
  {
    sabotage,
    onRestore,
  }: { readonly sabotage: Sabotage; readonly onRestore: (world: World) => void },
): World {
  const random = createRandom(seed);
  const scheduler = createScheduler();
  const trace = createTrace(scheduler);
  const plan = drawPlan(random);
  const scopes = plan.keys.map(({ kind, key }) => scopeOf(kind, key));
  const onChange = () => {
    checkReservations(database, scopes, observer);
    restores.onWrite();
  };
  const observer = createObserver({ scheduler, trace, onWrite: onChange });
  const network = createNetwork({ scheduler, random, trace });
  const services: Service[] = [];
  let isFaulty = true;
  let lives = 0;

  const trueTimeMs = () => EPOCH_MS + scheduler.nowMs();
  const drawOffsetMs = (clocks: "database" | "walls") => {
    const most = plan.wrongClocks === clocks ? CLOCK_OFFSET_MS.wrong : CLOCK_OFFSET_MS.right;
    return random.integer(-most, most);
  };
  const databaseServer = createServer("database");
  let databaseOffsetMs = drawOffsetMs("database");
  const databaseNowMs = () => trueTimeMs() + databaseOffsetMs;
  const database = createDatabase({
    clock: { nowMs: databaseNowMs, setTimer: scheduler.after },
    wrap: (store) => observer.watch(sabotage.store?.(store) ?? store),
    onWrite: (id, claim) => observer.written(`a row of ${id}`, claim),
    firstWork: createFirstWork({
      now: () => new Date(databaseNowMs()),
      rules: { ...STEP_RULES, ...sabotage.steps },
      onBegin({ scope, fingerprint }) {
        observer.acts(scope, fingerprint);
        observer.saw("payment that began with its claim");
      },
    }),
    onCommit: onChange,
  });
  const processorServer = createServer("processor");
  const { isStrict } = plan;
  const { generation } = observer;
  const processor = createProcessor({ scheduler, random, isStrict, generation });
  const sends = createSends(scheduler);
  const restores = createRestores({
    database,
    databaseServer,
    databaseNowMs,
    observer,
    scheduler,
    random,
    trace,
    nameGeneration: sabotage.nameGeneration ?? ((drawn) => drawn),
    onRestore: () => onRestore(world),
  });
  const redisNodes =
    plan.gate === "redis"
      ? REDIS_NODES.map((name) => createRedisNode({ name, scheduler, random }))
      : [];

  function startHost(place: number): Host {
    lives += 1;
    const strikes = new Map(
      Array.from({ length: isFaulty ? plan.strikes : 0 }, () => [
        random.integer(1, STRUCK_MESSAGES),
        random.pick(STRIKES),
      ]),
    );
    const [slow, fast] = plan.clockRates;
    const wallOffsetMs = drawOffsetMs("walls");
    return createHost({
      name: `process${place}.${lives}`,
      scheduler,
      trace,
      ...(plan.skewedClocks
        ? {
            clockOffsetMs: random.integer(0, 1_000_000),
            clockRate: random.pick([slow, 1, fast]),
            // Where wall clocks are wrong, nothing else tells how long a pause was.
            standsStill: plan.wrongClocks !== "walls",
          }
        : {}),
      wallMs: () => trueTimeMs() + wallOffsetMs,
      strikePauseMs: plan.strikePauseMs,
      strikeAt: (message) => (isFaulty ? strikes.get(message) : undefined),
      onCrash: () =>
        scheduler.after(random.integer(RESTART_MS.least, RESTART_MS.most), () => start(place)),
    });
  }

  function connect(host: Host): RemoteDatabase {
    const route = { from: host, to: databaseServer };
    const rollBackRate = () => (isFaulty ? plan.rollBackRate : 0);
    const remote = connectDatabase({ ...route, database, network, random, rollBackRate });
    const { maxWaitingCalls: maxWaiting } = plan;
    return maxWaiting === undefined
      ? remote
      : batchCalls({
          remote,
          database,
          send: (what, execute) =>
            network.call({ ...route, what, execute, timeoutMs: DATABASE_TIMEOUT_MS }),
          scheduler,
          random,
          own: createRandom(~seed),
          soon: (callback) => host.clock.setTimer(random.integer(0, GATHERING_MS), callback),
          maxWaiting,
          isFaulty: () => isFaulty,
          rollBackRate,
          change: sabotage.batches ?? ((unchanged) => unchanged),
          saw: observer.saw,
        });
  }

  function keyWindowOf(readMoment: ReadMoment) {
    const options = { windowMs: plan.keyWindowMs, longestCallMs: LONGEST_CALL_MS, readMoment };
    const keyWindow = createKeyWindow(options);
    const changed = sabotage.keyWindow?.(keyWindow, options) ?? keyWindow;
    return {
      ...changed,
      isOpen(age: Parameters<typeof changed.isOpen>[0]) {
        const isOpen = changed.isOpen(age);
        if (!isOpen) {
          observer.saw("window of a key that has ended");
        }
        return isOpen;
      },
    };
  }

  function start(place: number): void {
    const host = startHost(place);
    trace.add(`${host.name} starts`);
    const { clock, readMoment } = host;
    const remote = connect(host);
    const identity =
      plan.restores.length === 0
        ? NEVER_RESTORED
        : watchIdentity({ host, network, databaseServer, restores });
    const steps = createSteps({
      database: remote,
      databaseNowMs,
      readMoment,
      rules: { ...STEP_RULES, ...sabotage.steps },
      onBegin: ({ scope, fingerprint }) => observer.acts(scope, fingerprint),
      saw: observer.saw,
    });
    const dependencies: HandlerDependencies = {
      ...connectProcessor({
        processor,
        network,
        from: host,
        to: processorServer,
        memoryMs: plan.keyMemoryMs,
        processorKeyOf: sabotage.processorKeyOf ?? (({ processorKey }) => processorKey),
        onCharge({ claim: { scope, fingerprint } }) {
          sends.sent(scope);
          observer.acts(scope, fingerprint);
        },
      }),
      steps,
      keyWindow: keyWindowOf(readMoment),
      restoredAgoMs: sabotage.restoredAgoMs ?? identity.restoredAgoMs,
      lookForRestore: identity.lookForRestore,
      clock,
      random,
      mischief: () => (isFaulty ? plan.mischief : 0),
      saw: observer.saw,
    };
    const handlers = createHandlers(dependencies);
    services[place] = startService({
      host,
      store: createGate(plan.gate, {
        store: remote.store,
        clock,
        nodes: redisNodes.map((node) => node.connect(host, network)),
        namespace: identity.name,
        ...(plan.keepsAnswers ? {} : { memoryBytes: 0 }),
        saw: observer.saw,
      }),
      handlers: sends.count(host, sabotage.handlers?.(handlers) ?? handlers),
      decidedHandlers: (decision) =>
        createHandlers({
          ...dependencies,
          asPaymentProcessor: () => createDecidedProcessor(decision),
          keyWindow: createKeyWindow({ windowMs: Number.POSITIVE_INFINITY, longestCallMs: 0 }),
          ...NEVER_RESTORED,
        }),
      hasResult: steps.hasResult,
      endAsNotExecuted: steps.endAsNotExecuted,
      times: plan.times,
      maxAttempts: plan.maxAttempts,
      knownGeneration: identity.generation,
      change: sabotage.executor ?? ((executor) => executor),
      observer,
    });
  }

  function serviceAt(place: number): Service {
    const service = services[place];
    if (service === undefined) {
      throw new RangeError(`no process has started at place ${place}`);
    }
    return service;
  }

  const operator = createOperator({
    scheduler,
    network,
    random,
    observer,
    serviceAt,
    places: plan.processes,
    fateOf: processor.fateOf,
    isSettled: sends.areSettled,
  });
  const world: World = {
    plan,
    scheduler,
    random,
    network,
    trace,
    observer,
    database,
    processor,
    operator,
    serviceAt,
    endFaults() {
      trace.add("the faults end");
      isFaulty = false;
      network.setWeather(FAIR_WEATHER);
      network.heal();
      processor.setMischief(0);
      for (const server of [databaseServer, processorServer, ...redisNodes.map(serverOf)]) {
        server.setAway(false);
      }
      for (const node of redisNodes) {
        node.setDamage(0);
      }
      for (const { host } of services) {
        host.resume();
      }
    },
  };

  restores.plan(plan.restores);
  for (let place = 0; place < plan.processes; place += 1) {
    start(place);
  }
  network.setWeather(plan.weather);
  processor.setMischief(plan.mischief);
  planFaults(
    {
      scheduler,
      random,
      trace,
      network,
      hostAt: (place) => serviceAt(place).host,
      databaseServer,
      processorServer,
      redisNodes,
      operator,
      moveDatabaseClock(byMs) {
        databaseOffsetMs += byMs;
      },
    },
    plan,
  );
  return world;
}

const NEVER_RESTORED = {
  generation: () => 0,
  name: () => "simulation",
  restoredAgoMs: () => undefined,
  lookForRestore: async () => {},
};

function serverOf({ server }: ReturnType<typeof createRedisNode>) {
  return server;
}
