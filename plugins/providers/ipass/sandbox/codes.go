package ipasssandbox

// The return codes. The first three are the gateway's; those that begin with S are invented, because the
// rest of the list is not public.
const (
	codeOK         = "0000"
	codeOrderUsed  = "0006"
	codeUnexpected = "9999"

	codeMalformed     = "S400"
	codeNobody        = "S401"
	codeBalance       = "S402"
	codeTradeCode     = "S403"
	codeNotFound      = "S404"
	codeReqIDUsed     = "S409"
	codeReversed      = "S410"
	codeTooMuchRefund = "S411"
	codeWrongState    = "S412"
	codeTooMany       = "S429"
)

func messageOf(code string) string {
	switch code {
	case codeOK:
		return "成功"
	case codeOrderUsed:
		return "該OrderNumber重複"
	case codeUnexpected:
		return "發生未預期錯誤"
	case codeMalformed:
		return "參數錯誤"
	case codeNobody:
		return "特店驗證失敗"
	case codeBalance:
		return "餘額不足"
	case codeTradeCode:
		return "付款碼已失效"
	case codeNotFound:
		return "查無交易"
	case codeReqIDUsed:
		return "reqId重複"
	case codeReversed:
		return "交易已沖正"
	case codeTooMuchRefund:
		return "退款金額超過可退金額"
	case codeWrongState:
		return "交易狀態不符"
	case codeTooMany:
		return "請求過於頻繁"
	default:
		return "交易失敗"
	}
}
