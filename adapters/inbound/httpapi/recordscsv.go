package httpapi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/payment"
)

// NextCursorHeader has the next_cursor of a page as CSV, which has no place for it. It is absent on the last page.
const NextCursorHeader = "Payrack-Next-Cursor"

// csvColumns are the first line. New ones are added at the end: programs count them.
func csvColumns() []string {
	return []string{
		"id", "state", "type", "store_id", "order_number", "attempt", "currency", "amount", "capture", "authorized", "captured", "refunded",
		"failure", "provider_code", "decline_code", "provider", "provider_transaction_id", "mandate_id", "plugin_version", "is_test",
		"authorization_ends_at", "created_at", "updated_at",
	}
}

// csvLine holds what the JSON of the payment holds, in the order of the columns. What is absent there is empty here.
func csvLine(p paymentReply) []string {
	units := func(a amountReply) string { return strconv.FormatInt(a.Amount, 10) }
	ends := ""
	if p.AuthorizationEndsAt != nil {
		ends = p.AuthorizationEndsAt.Format(time.RFC3339Nano)
	}
	return []string{
		p.ID, p.State, p.Type, p.StoreID, p.OrderNumber, strconv.Itoa(max(p.Attempt, 1)), p.Amount.Currency, units(p.Amount),
		strconv.FormatBool(p.Capture), units(p.Authorized), units(p.Captured), units(p.Refunded),
		p.Failure, p.ProviderCode, p.DeclineCode, p.Provider, p.ProviderTransactionID, p.MandateID, p.PluginVersion,
		strconv.FormatBool(p.IsTest), ends, p.CreatedAt.Format(time.RFC3339Nano), p.UpdatedAt.Format(time.RFC3339Nano),
	}
}

// writeCSV answers with a page of payments as CSV (RFC 4180).
func writeCSV(w http.ResponseWriter, payments []payment.Payment, next string) error {
	var b bytes.Buffer
	lines := csv.NewWriter(&b)
	lines.UseCRLF = true
	all := [][]string{csvColumns()}
	for _, one := range payments {
		all = append(all, csvLine(paymentOf(one)))
	}
	if err := lines.WriteAll(all); err != nil {
		return fmt.Errorf("writing payments as CSV: %w", err)
	}
	if next != "" {
		w.Header().Set(NextCursorHeader, next)
	}
	httpkit.WriteBytes(w, http.StatusOK, "text/csv; charset=utf-8; header=present", b.Bytes())
	return nil
}
