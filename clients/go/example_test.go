package payonce_test

import (
	"context"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	payonce "payonce.dev/client"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

func ExampleDialOptions() {
	conn, err := grpc.NewClient("payments.example.com:443", append(payonce.DialOptions(),
		grpc.WithTransportCredentials(credentials.NewTLS(nil)))...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	payments := paymentsv1.NewPaymentServiceClient(conn)

	// The deadline is one for all attempts.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var report payonce.Report
	answer, err := payments.CreatePayment(ctx, &paymentsv1.CreatePaymentRequest{
		Amount:        &paymentsv1.Money{CurrencyCode: "EUR", MinorUnits: 1999},
		PaymentMethod: "tok_visa",
	}, payonce.ReportTo(&report))
	if err != nil {
		log.Fatalf("key %s after %d attempts: %v", report.Key, report.Attempts, err)
	}
	log.Print(answer.GetPayment().GetStatus())
}
