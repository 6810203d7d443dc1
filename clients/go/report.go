package payonce

import "google.golang.org/grpc"

// Report is what became of one call that needed a key.
type Report struct {
	// Key is the one that the call was sent with. After an answer that is not
	// definite, the same request can be sent under it again, at any time later.
	Key string
	// Attempts counts the first one too. It is 0 if there was no key.
	Attempts int
	// Replayed says that the last answer was first given to an earlier attempt
	// or call.
	Replayed bool
}

// ReportTo lets the interceptor fill in the report before the call returns. A
// call that needs no key leaves it as it is.
func ReportTo(report *Report) grpc.CallOption {
	return reportOption{report: report}
}

type reportOption struct {
	grpc.EmptyCallOption
	report *Report
}

func writeReport(opts []grpc.CallOption, report Report) {
	for _, opt := range opts {
		if to, ok := opt.(reportOption); ok {
			*to.report = report
		}
	}
}
