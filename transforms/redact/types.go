package redact

// Type is the kind of a personal value. A tag is the type in brackets, with a number where values are told apart.
type Type string

// The types that are found. Recognizers of a policy add their own.
const (
	Person         Type = "PERSON"
	Phone          Type = "PHONE"
	Email          Type = "EMAIL"
	Address        Type = "ADDRESS"
	SSN            Type = "SSN"
	Card           Type = "CARD"
	CVV            Type = "CVV"
	CardExpiry     Type = "CARD_EXPIRY"
	BankAccount    Type = "BANK_ACCOUNT"
	Routing        Type = "ROUTING"
	IBAN           Type = "IBAN"
	AccountID      Type = "ACCOUNT_ID"
	PIN            Type = "PIN"
	OTP            Type = "OTP"
	Password       Type = "PASSWORD"
	SecurityAnswer Type = "SECURITY_ANSWER"
	Username       Type = "USERNAME"
	DOB            Type = "DOB"
	Passport       Type = "PASSPORT"
	DriverLicense  Type = "DRIVER_LICENSE"
	MedicalRecord  Type = "MEDICAL_RECORD"
	IP             Type = "IP"
	URL            Type = "URL"
)

// Types returns the built-in types.
func Types() []Type { return append([]Type(nil), typeNames[1:numKinds]...) }

// kind is a type as a small number; kinds is a set of them.
type kind uint8

type kinds uint64

func (k kind) bit() kinds            { return 1 << k }
func (s kinds) has(k kind) bool      { return s>>k&1 != 0 }
func (s kinds) any(other kinds) bool { return s&other != 0 }

const (
	noKind kind = iota
	kPerson
	kPhone
	kEmail
	kAddress
	kSSN
	kCard
	kCVV
	kExpiry
	kBank
	kRouting
	kIBAN
	kAccount
	kPIN
	kOTP
	kPassword
	kAnswer
	kUsername
	kDOB
	kPassport
	kLicense
	kMedical
	kIP
	kURL
	numKinds
)

var typeNames = [numKinds]Type{
	"", Person, Phone, Email, Address, SSN, Card, CVV, CardExpiry, BankAccount, Routing, IBAN, AccountID, PIN, OTP, Password,
	SecurityAnswer, Username, DOB, Passport, DriverLicense, MedicalRecord, IP, URL,
}

func kindOf(t Type) (kind, bool) {
	for k, name := range typeNames {
		if k > 0 && name == t {
			return kind(k), true
		}
	}
	return noKind, false
}

const (
	maxKinds      = 60
	kOther   kind = 63 // of tags that don't tell their type
)

// size is how many digits and letters a value of a type has: the least, the most, and when it is whole.
type size struct{ min, max, whole, other int }

var sizes = [numKinds]size{
	kPhone: {3, 16, 10, 11}, kSSN: {2, 11, 9, 4}, kCard: {3, 22, 16, 15}, kCVV: {3, 4, 3, 4}, kExpiry: {2, 8, 4, 6},
	kBank: {3, 24, 10, 12}, kRouting: {3, 10, 9, 9}, kIBAN: {2, 36, 22, 20}, kAccount: {4, 24, 8, 6}, kPIN: {3, 12, 4, 6},
	kOTP: {3, 10, 6, 4}, kPassword: {2, 40, 0, 0}, kUsername: {2, 40, 0, 0}, kDOB: {2, 8, 8, 6}, kPassport: {3, 14, 9, 8},
	kLicense: {3, 20, 8, 7}, kMedical: {3, 16, 8, 7}, kIP: {4, 12, 0, 0}, kAddress: {1, 20, 5, 5}, kAnswer: {1, 20, 0, 0},
	kURL: {1, 40, 0, 0}, kEmail: {1, 40, 0, 0},
}

// The kinds whose values are digits or codes.
const (
	codeKinds kinds = 1<<kPhone | 1<<kSSN | 1<<kCard | 1<<kCVV | 1<<kExpiry | 1<<kBank | 1<<kRouting | 1<<kIBAN | 1<<kAccount |
		1<<kPIN | 1<<kOTP | 1<<kDOB | 1<<kPassport | 1<<kLicense | 1<<kMedical | 1<<kIP
	letterKinds kinds = 1<<kIBAN | 1<<kAccount | 1<<kPassport | 1<<kLicense | 1<<kMedical | 1<<kPassword | 1<<kUsername | 1<<kOTP
	wordKinds   kinds = 1<<kPassword | 1<<kAnswer | 1<<kUsername
)
