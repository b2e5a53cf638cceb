package elastic

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
)

// spoken has a sentence for each language, with what its analyzer treats in its own way.
var spoken = map[string]string{
	"arabic":     "أريد إلغاء المواعيد في الساعة ١٢ من فضلك والمكتبات",
	"armenian":   "Ես ուզում եմ չեղարկել իմ հանդիպումները և տեղափոխել",
	"basque":     "Nire hitzorduak bertan behera utzi nahi ditut eta etxeetan",
	"bengali":    "আমি আমার অ্যাপয়েন্টমেন্ট বাতিল করতে চাই ১২ টায় এবং বইগুলো",
	"brazilian":  "Eu quero cancelar as consultas marcadas para amanhã",
	"bulgarian":  "Искам да отменя часовете си за утре в клиниката",
	"catalan":    "Vull cancel·lar l'hora d'avui i les visites",
	"cjk":        "予約をキャンセルしたい the ﾃｽﾄ 约会 Ａ",
	"czech":      "Chtěla bych zrušit objednané návštěvy na zítřek",
	"danish":     "Jeg vil gerne aflyse mine aftaler og betale regningerne",
	"dutch":      "Ik wil de afspraken van het kind en de fiets afzeggen, kinderen",
	"english":    "The caller's appointments were being cancelled and not rescheduled",
	"estonian":   "Ma tahan tühistada oma kohtumised ja arved",
	"finnish":    "Haluan peruuttaa aikani ja maksaa laskuni",
	"french":     "L'assurée voudrait qu'on annule les rendez-vous d'aujourd'hui jusqu'à demain",
	"galician":   "Quero cancelar as citas que teño mañá",
	"german":     "Ich möchte die Termine für meine Kinder absagen und größere Straßen",
	"greek":      "Θέλω να ακυρώσω τα ραντεβού μου ΓΙΑ ΑΥΡΙΟ",
	"hindi":      "मैं अपनी नियुक्तियाँ १२ बजे रद्द करना चाहता हूँ और किताबें",
	"hungarian":  "Szeretném lemondani az időpontjaimat és a számlákat",
	"indonesian": "Saya ingin membatalkan janji temu dan pembayarannya",
	"irish":      "Ba mhaith liom m'athair a ghlaoch, an t-am nAthair agus d'oibrigh h-uile",
	"italian":    "Vorrei annullare l'appuntamento dell'altro giorno e le visite",
	"latvian":    "Es gribu atcelt savas tikšanās un rēķinus",
	"lithuanian": "Noriu atšaukti savo susitikimus ir sąskaitas",
	"norwegian":  "Jeg vil avbestille timene mine og betale regningene",
	"persian":    "می\u200cخواهم قرارهای خود را در ساعت ۱۲ لغو کنم و کتاب\u200cها",
	"portuguese": "Eu quero cancelar as consultas marcadas para amanhã",
	"romanian":   "Vreau să anulez programările mele și facturile",
	"russian":    "Я хочу отменить мои записи на завтра и счета",
	"serbian":    "Желим да откажем заказане термине и рачуне",
	"sorani":     "دەمەوێت کاتەکانم هەڵبوەشێنمەوە لە ١٢ و کتێبەکان",
	"spanish":    "Quiero cancelar las citas que tengo para mañana",
	"standard":   "The caller's appointments were being cancelled",
	"swedish":    "Jag vill avboka mina tider och betala räkningarna",
	"thai":       "ฉันต้องการยกเลิกนัดหมายของฉันเวลา ๑๒ นาฬิกา",
	"turkish":    "Randevularımı İstanbul'da iptal etmek istiyorum ve ISPARTA",
}

type token struct {
	Token    string `json:"token"`
	Position int    `json:"position"`
}

func analyze(t *testing.T, l *Loader, path string, body map[string]any) []token {
	t.Helper()
	var got struct{ Tokens []token }
	if err := l.c.do(t.Context(), http.MethodPost, path, body, &got); err != nil {
		t.Fatal(explain(err))
	}
	return got.Tokens
}

// Searches with synonyms must look for the words that the language's own analyzer has stored.
func TestChainsAreTheBuiltInAnalyzers(t *testing.T) {
	l := open(t, engine(t))
	if diff := cmp.Diff(connector.ElasticsearchLanguages, languageNames()); diff != "" {
		t.Errorf("the configuration takes other languages: %s", diff)
	}
	for _, language := range languageNames() {
		request := inlineAnalysis(synonymAnalysis(language, nil))
		filters := request["filter"].([]any)
		request["filter"] = filters[:len(filters)-1] // without the synonyms, which can't be none
		request["text"] = spoken[language]
		want := analyze(t, l, "/_analyze", map[string]any{"analyzer": language, "text": spoken[language]})
		got := analyze(t, l, "/_analyze", request)
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s: %s", language, diff)
		}
		plain := analyze(t, l, "/_analyze", map[string]any{"analyzer": "standard", "text": spoken[language]})
		if language != "standard" && slices.Equal(plain, want) {
			t.Errorf("%s: the sentence says nothing: it is left as it is", language)
		}
	}
}
