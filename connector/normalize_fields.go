package connector

// field is a field of a delivery that has a place in an event.
type field uint8

// The fields, in the order of the schema; each one's name and kind are in fields.
const (
	fieldCallID field = iota
	fieldAgentName
	fieldCallerName
	fieldCallDirection
	fieldCallStarted
	fieldCallEnded
	fieldDuration
	fieldBusinessPhoneNumber
	fieldCustomerPhoneNumber
	fieldMentionedEmail
	fieldMentionedDate
	fieldMentionedTime
	fieldTranscriptText
	fieldTranscript
	fieldSummary
	fieldLongSummary
	fieldPurpose
	fieldTopic
	fieldSentiment
	fieldKeyPoints
	fieldUnansweredQuestions
	fieldActionItems
	fieldFollowUp
	fieldFollowUpReason
	fieldAISuccess
	fieldRecordingURL
	fieldDashboardURL
	fieldEndedReason
	fieldIsTest
	numFields
)

type fieldKind uint8

const (
	kindText  fieldKind = iota // string or null
	kindLoose                  // string, boolean, number or null
	kindID
	kindTime
	kindDuration
	kindList
	kindTurns
	kindFlag // boolean, or a word for one
)

var fields = [numFields]struct {
	name string
	kind fieldKind
}{
	fieldCallID:              {"callId", kindID},
	fieldAgentName:           {"agentName", kindText},
	fieldCallerName:          {"callerName", kindText},
	fieldCallDirection:       {"callDirection", kindText},
	fieldCallStarted:         {"callStarted", kindTime},
	fieldCallEnded:           {"callEnded", kindTime},
	fieldDuration:            {"duration", kindDuration},
	fieldBusinessPhoneNumber: {"businessPhoneNumber", kindText},
	fieldCustomerPhoneNumber: {"customerPhoneNumber", kindText},
	fieldMentionedEmail:      {"mentionedEmail", kindText},
	fieldMentionedDate:       {"mentionedDate", kindText},
	fieldMentionedTime:       {"mentionedTime", kindText},
	fieldTranscriptText:      {"transcriptText", kindText},
	fieldTranscript:          {"transcript", kindTurns},
	fieldSummary:             {"summary", kindText},
	fieldLongSummary:         {"longSummary", kindText},
	fieldPurpose:             {"purpose", kindText},
	fieldTopic:               {"topic", kindText},
	fieldSentiment:           {"sentiment", kindLoose},
	fieldKeyPoints:           {"keyPoints", kindList},
	fieldUnansweredQuestions: {"unansweredQuestions", kindList},
	fieldActionItems:         {"actionItems", kindList},
	fieldFollowUp:            {"followUp", kindLoose},
	fieldFollowUpReason:      {"followUpReason", kindText},
	fieldAISuccess:           {"ai_success", kindLoose},
	fieldRecordingURL:        {"recordingUrl", kindText},
	fieldDashboardURL:        {"dashboardUrl", kindText},
	fieldEndedReason:         {"endedReason", kindText},
	fieldIsTest:              {"isTest", kindFlag},
}

var fieldByName = func() map[string]field {
	m := make(map[string]field, numFields)
	for f := range numFields {
		m[fields[f].name] = f
	}
	return m
}()

// pointer is the JSON pointer of the field.
func (f field) pointer() string { return "/" + fields[f].name }
