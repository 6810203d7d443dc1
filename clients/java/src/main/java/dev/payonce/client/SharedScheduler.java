package dev.payonce.client;

import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Times the waits of all interceptors that were given no scheduler, in one daemon thread. */
final class SharedScheduler {
  /** Idle for so long, the thread ends, so that it keeps no unloaded application in memory. */
  private static final long KEEP_ALIVE_SECONDS = 10;

  private static final ScheduledExecutorService INSTANCE = create();

  private SharedScheduler() {}

  static ScheduledExecutorService get() {
    return INSTANCE;
  }

  private static ScheduledExecutorService create() {
    var scheduler = new ScheduledThreadPoolExecutor(1, SharedScheduler::daemonThread);
    // A wait that was cancelled would keep its call in memory until its time.
    scheduler.setRemoveOnCancelPolicy(true);
    scheduler.setKeepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS);
    scheduler.allowCoreThreadTimeOut(true);
    return scheduler;
  }

  private static Thread daemonThread(Runnable task) {
    Thread thread = new Thread(task, "payonce-retry");
    thread.setDaemon(true);
    return thread;
  }
}
