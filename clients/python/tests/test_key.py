"""Which calls get a key."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory

from payonce.idempotency.v1 import inspection_pb2, options_pb2
from payonce.payments.v1 import payments_pb2
from payonce_client._key import KEY_METADATA, key_for_call

PAYMENTS = "/payonce.payments.v1.PaymentService"


def key_of(method, request, metadata=None):
    return key_for_call(method, request, metadata, lambda _method, _request: "new")


@pytest.mark.parametrize("method", ["Create", "Capture", "Cancel", "Refund"])
def test_a_method_with_the_option_gets_a_key(method):
    request = getattr(payments_pb2, f"{method}PaymentRequest")()
    assert key_of(f"{PAYMENTS}/{method}Payment", request) == ("new", True)


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        (f"{PAYMENTS}/GetPayment", payments_pb2.GetPaymentRequest),
        (f"{PAYMENTS}/ListPayments", payments_pb2.ListPaymentsRequest),
        (
            "/payonce.idempotency.v1.InspectionService/ResolveKey",
            inspection_pb2.ResolveKeyRequest,
        ),
        ("/acme.v1.Unknown/Call", payments_pb2.CreatePaymentRequest),
    ],
    ids=["without the option", "a list", "required: false", "unknown to the pool"],
)
def test_other_methods_are_left_alone(method, request_type):
    assert key_of(method, request_type(), [(KEY_METADATA, "given")]) is None


def test_the_metadata_goes_before_the_field():
    request = payments_pb2.CreatePaymentRequest(idempotency_key="field")
    key = key_of(f"{PAYMENTS}/CreatePayment", request, [(KEY_METADATA, "metadata")])
    assert key == ("metadata", False)


def test_the_policy_of_any_service_may_name_another_field():
    order = _order_request_type()
    method = "/test.orders.v1.Orders/PlaceOrder"
    assert key_of(method, order(order_id="order-1")) == ("order-1", False)
    assert key_of(method, order(idempotency_key="not the key")) == ("new", True)


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("Orders/Place", ("new", True)),
        ("Orders/Change", ("new", True)),
        ("Orders/Note", None),
        ("Orders/Find", None),
        ("Reports/Run", None),
    ],
    ids=["declared", "undeclared", "required: false", "no side effects", "another service"],
)
def test_every_method_of_a_protected_service_needs_a_key_unless_it_says_otherwise(method, key):
    _add_rule_services()
    assert key_of(f"/test.rule.v1.{method}", empty_pb2.Empty()) == key


def _add_rule_services():
    file = descriptor_pb2.FileDescriptorProto(
        name="test/rule/v1/rule.proto",
        package="test.rule.v1",
        syntax="proto3",
        dependency=["google/protobuf/empty.proto", "payonce/idempotency/v1/options.proto"],
    )
    orders, reports = (file.service.add(name=name) for name in ["Orders", "Reports"])
    place, _change, note, find = (
        _add_method(orders, name) for name in ["Place", "Change", "Note", "Find"]
    )
    _add_method(reports, "Run")
    place.options.Extensions[options_pb2.idempotency].SetInParent()
    note.options.Extensions[options_pb2.idempotency].required = False
    find.options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


def _add_method(service, name):
    empty = ".google.protobuf.Empty"
    return service.method.add(name=name, input_type=empty, output_type=empty)


def _order_request_type():
    file = descriptor_pb2.FileDescriptorProto(
        name="test/orders/v1/orders.proto",
        package="test.orders.v1",
        syntax="proto3",
        dependency=["payonce/idempotency/v1/options.proto"],
    )
    message = file.message_type.add(name="Order")
    for number, name in enumerate(["order_id", "idempotency_key"], start=1):
        message.field.add(name=name, number=number, type="TYPE_STRING", label="LABEL_OPTIONAL")
    place_order = file.service.add(name="Orders").method.add(
        name="PlaceOrder", input_type=".test.orders.v1.Order", output_type=".test.orders.v1.Order"
    )
    place_order.options.Extensions[options_pb2.idempotency].key_field = "order_id"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.orders.v1.Order"))
