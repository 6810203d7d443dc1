package dev.payonce.client;

import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A server in this process, and a channel to it. */
record InProcess(Server server, ManagedChannel channel) implements AutoCloseable {
  static InProcess serving(ScriptedService service) {
    String name = InProcessServerBuilder.generateName();
    try {
      Server server =
          InProcessServerBuilder.forName(name)
              .addService(service.bind(service))
              .addService(service.bind(service.inspection()))
              .build()
              .start();
      return new InProcess(server, InProcessChannelBuilder.forName(name).disableRetry().build());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  Channel intercepted(IdempotencyInterceptor interceptor) {
    return ClientInterceptors.intercept(channel, interceptor);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }
}
