package linepaysandbox

// The return codes that this gateway decides by itself. Every other code can be had with the fault
// code:NNNN or with a one-time code that declines.
const (
	codeOK               = "0000"
	codeUnknownMerchant  = "1104"
	codeHeader           = "1106"
	codeScale            = "1124"
	codeOneTimeKey       = "1133"
	codeBalance          = "1142"
	codeNotFound         = "1150"
	codeTooMuchRefund    = "1164"
	codeAlreadyUndone    = "1165"
	codeOrderUsed        = "1172"
	codeTooManyIDs       = "1177"
	codeCurrency         = "1178"
	codeWrongState       = "1179"
	codeTooSmall         = "1183"
	codeTooLarge         = "1184"
	codeAuthenticated    = "0110"
	codeCancelled        = "0121"
	codeFailed           = "0122"
	codeCompleted        = "0123"
	codeAmountDiffers    = "1153"
	codeNoRequest        = "1159"
	codeNotAuthenticated = "1169"
	codeTooLate          = "1180"
	codeNoRegKey         = "1190"
	codeRegKeyExpired    = "1193"
	codeNoPreapproved    = "1194"
	codeInternal         = "1199"
	codeInProgress       = "1198"
	codeParameter        = "2101"
	codeMalformed        = "2102"
	codeNotAllowed       = "2103"
)

// messageOf is the text beside a code. Where a live text is on record it is that one.
func messageOf(code string) string {
	switch code {
	case codeOK:
		return "Success."
	case codeUnknownMerchant:
		return "Merchant not found."
	case codeHeader:
		return "Header information error."
	case codeScale:
		return "Amount scale error."
	case codeOneTimeKey:
		return "Invalid one time key."
	case codeBalance:
		return "Insufficient balance."
	case codeNotFound:
		return "Transaction record not found."
	case codeTooMuchRefund:
		return "Refund amount exceeded."
	case codeAlreadyUndone:
		return "Already refunded."
	case codeOrderUsed:
		return "Existing same orderId."
	case codeTooManyIDs:
		return "Too many transactions requested."
	case codeCurrency:
		return "Unsupported currency."
	case codeWrongState:
		return "Status not allowed."
	case codeTooSmall:
		return "Amount is below the minimum."
	case codeTooLarge:
		return "Amount is above the maximum."
	case codeAuthenticated:
		return "authentication is done."
	case codeAmountDiffers:
		return "Transaction amount does not match."
	case codeNoRequest:
		return "Transaction request information not found."
	case codeNotAuthenticated:
		return "Payment method and password must be certificated by LINE Pay."
	case codeTooLate:
		return "The payment has expired."
	case codeNoRegKey:
		return "The regKey does not exist."
	case codeRegKeyExpired:
		return "The regKey has expired."
	case codeNoPreapproved:
		return "The merchant cannot use preapproved payment."
	case codeInternal:
		return "Internal request error."
	case codeInProgress:
		return "Duplicated request."
	case codeParameter:
		return "Parameter error."
	case codeMalformed:
		return "JSON data format error."
	default:
		return "-"
	}
}
