import { nameOf } from "./calls.js";
import { createDatabase, type Database } from "./database.js";
import { batchCalls } from "./database-batches.js";
import { planFaults } from "./faults.js";
import { createHandlers, type Handlers, processorKeyOf, reserve } from "./handlers.js";
import { createHost, type Host, type Strike } from "./host.js";
import { createNetwork, createServer, FAIR_WEATHER, type Network } from "./network.js";
import { createObserver, type Observer } from "./observer.js";
import { drawPlan, type Plan } from "./plan.js";
import { createProcessor, type Processor } from "./processor.js";
import { createRandom, type Random } from "./random.js";
import { createRedisNode } from "./redis-node.js";
import { connectDatabase, DATABASE_TIMEOUT_MS, type RemoteDatabase } from "./remote-database.js";
import type { Sabotage } from "./sabotage.js";
import { createScheduler, type Scheduler } from "./scheduler.js";
import { createGate, type Service, startService } from "./service.js";
import { createTrace, type Trace } from "./trace.js";

/** How long a process waits for the processor. Milliseconds. */
const PROCESSOR_TIMEOUT_MS = 2_000;

/** How long a process may take to send what comes together: its event loop is busy. */
const GATHERING_MS = 100;

const RESTART_MS = { least: 100, most: 5_000 };

const STRIKES: readonly Strike[] = ["crash_before", "crash_after", "sleep"];

/** Which of a process's first messages may be struck. */
const STRUCK_MESSAGES = 80;

const REDIS_NODES = ["redis1", "redis2", "redis3"];

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
  /** The process that runs at a place now. */
  serviceAt(place: number): Service;
  /** From now on everything works; what is on its way still arrives. */
  endFaults(): void;
}

/** Everything in it follows from the seed. */
export function createWorld(seed: number, sabotage: Sabotage): World {
  const random = createRandom(seed);
  const scheduler = createScheduler();
  const trace = createTrace(scheduler);
  const observer = createObserver(scheduler, trace);
  const network = createNetwork({ scheduler, random, trace });
  const own = createRandom(~seed);
  const plan = drawPlan(random, own);
  const services: Service[] = [];
  let isFaulty = true;
  let lives = 0;

  const databaseServer = createServer("database");
  let databaseOffsetMs = random.integer(-100_000, 100_000);
  const databaseNowMs = () => scheduler.nowMs() + databaseOffsetMs;
  const database = createDatabase({
    clock: { nowMs: databaseNowMs, setTimer: scheduler.after },
    wrap: (store) => observer.watch(sabotage.store?.(store) ?? store),
    onWrite: (id, claim) => observer.written(`a row of ${id}`, claim),
  });
  const processorServer = createServer("processor");
  const processor = createProcessor({ scheduler, random });
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
    return createHost({
      name: `process${place}.${lives}`,
      scheduler,
      trace,
      ...(plan.skewedClocks
        ? { clockOffsetMs: random.integer(0, 1_000_000), clockRate: random.pick([0.95, 1, 1.05]) }
        : {}),
      strikeAt: (message) => (isFaulty ? strikes.get(message) : undefined),
      onCrash: () =>
        scheduler.after(random.integer(RESTART_MS.least, RESTART_MS.most), () => start(place)),
    });
  }

  function handlersOf(host: Host, remote: RemoteDatabase): Handlers {
    return createHandlers({
      database: remote,
      databaseNowMs,
      clock: host.clock,
      random,
      mischief: () => (isFaulty ? plan.mischief : 0),
      processorKeyOf: sabotage.processorKeyOf ?? processorKeyOf,
      reserve: sabotage.reserve ?? reserve,
      saw: observer.saw,
      charge: (charge) =>
        network.call({
          from: host,
          to: processorServer,
          about: nameOf(charge.claim.scope),
          mayBeRepeated: true,
          what: `charge ${charge.processorKey.slice(0, 9)} (token ${charge.claim.fencingToken})`,
          timeoutMs: PROCESSOR_TIMEOUT_MS,
          execute: () => processor.charge(charge),
          describe: String,
        }),
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
          own,
          soon: (callback) => host.clock.setTimer(random.integer(0, GATHERING_MS), callback),
          maxWaiting,
          isFaulty: () => isFaulty,
          rollBackRate,
          change: sabotage.batches ?? ((unchanged) => unchanged),
          saw: observer.saw,
        });
  }

  function start(place: number): void {
    const host = startHost(place);
    trace.add(`${host.name} starts`);
    const remote = connect(host);
    const handlers = handlersOf(host, remote);
    services[place] = startService({
      host,
      store: createGate(plan.gate, {
        store: remote.store,
        clock: host.clock,
        nodes: redisNodes.map((node) => node.connect(host, network)),
        ...(plan.keepsAnswers ? {} : { memoryBytes: 0 }),
        saw: observer.saw,
      }),
      handlers: sabotage.handlers?.(handlers) ?? handlers,
      times: plan.times,
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
      moveDatabaseClock(byMs) {
        databaseOffsetMs += byMs;
      },
    },
    plan,
  );

  return {
    plan,
    scheduler,
    random,
    network,
    trace,
    observer,
    database,
    processor,
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
}

function serverOf({ server }: ReturnType<typeof createRedisNode>) {
  return server;
}
