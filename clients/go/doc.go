// Package payonce gives every gRPC call that needs one an idempotency key, and
// retries it without ever making it a second call.
//
//	conn, err := grpc.NewClient(target, append(payonce.DialOptions(),
//		grpc.WithTransportCredentials(credentials.NewTLS(nil)))...)
//	payments := paymentsv1.NewPaymentServiceClient(conn)
//	answer, err := payments.CreatePayment(ctx, request)
//
// Which calls need a key is read from the option
// payonce.idempotency.v1.idempotency on their methods; all others pass
// unchanged. The option can be put on the methods of any service.
package payonce
