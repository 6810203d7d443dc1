package dev.payonce.client;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.Descriptors;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.payonce.idempotency.v1.IdempotencyPolicy;
import dev.payonce.idempotency.v1.OptionsProto;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.util.Optional;

/**
 * A method whose calls need a key.
 *
 * @param keyField the name of the request's field that may carry the key, if it has such a field
 */
record KeyedMethod(String keyField) {
  /** The field that may carry the key where the option names none. */
  private static final String DEFAULT_KEY_FIELD = "idempotency_key";

  /**
   * Reads the method's idempotency option; empty if its calls need no key. The rule is the
   * server's: every method of a protected service needs one, also without the option, unless it has
   * no side effects or says {@code required: false}. A service that declares no policy is left
   * alone, as nothing says that its server executes a repeated call once.
   */
  static Optional<KeyedMethod> of(MethodDescriptor<?, ?> method) {
    if (method.getType() != MethodType.UNARY
        || !(method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier schema)) {
      return Optional.empty();
    }
    Descriptors.MethodDescriptor descriptor = schema.getMethodDescriptor();
    if (descriptor.getService().getMethods().stream().noneMatch(KeyedMethod::declaresPolicy)
        || descriptor.getOptions().getIdempotencyLevel() == IdempotencyLevel.NO_SIDE_EFFECTS) {
      return Optional.empty();
    }
    IdempotencyPolicy policy = descriptor.getOptions().getExtension(OptionsProto.idempotency);
    if (policy.hasRequired() && !policy.getRequired()) {
      return Optional.empty();
    }
    String keyField = policy.getKeyField();
    return Optional.of(new KeyedMethod(keyField.isEmpty() ? DEFAULT_KEY_FIELD : keyField));
  }

  private static boolean declaresPolicy(Descriptors.MethodDescriptor method) {
    return method.getOptions().hasExtension(OptionsProto.idempotency);
  }

  /** The key in the request's field; empty if there is none. */
  Optional<String> keyIn(Object request) {
    if (!(request instanceof Message message)) {
      return Optional.empty();
    }
    FieldDescriptor field = message.getDescriptorForType().findFieldByName(keyField);
    if (field == null || field.isRepeated() || field.getType() != FieldDescriptor.Type.STRING) {
      return Optional.empty();
    }
    String key = (String) message.getField(field); // what a singular string field holds
    return key.isEmpty() ? Optional.empty() : Optional.of(key);
  }
}
