package redact

import "strings"

type wordSet map[string]struct{}

func words(s string) wordSet {
	m := wordSet{}
	for w := range strings.FieldsSeq(s) {
		m[w] = struct{}{}
	}
	return m
}

func in(m wordSet, w string) bool {
	_, ok := m[w]
	return ok
}

// The lists are written for this package. They need not be complete: a word that is missing from ambiguous is redacted
// too often in the calls of the few people who are called that; a word too many is redacted too rarely.
var (
	// nobody is what stands in a name field where there is no name.
	nobody = words(`unknown not available unavailable anonymous private restricted withheld blocked none null nil na n a
		caller customer user guest client patient wireless cell mobile phone number toll free name id test spam likely
		scam undefined unspecified missing provided human person no the`)

	// particles never stand alone for a name: titles, and the small words inside names.
	particles = words(`mr mrs ms mx miss dr prof sir madam rev jr sr ii iii iv phd md esq de del della di da dos das du la
		le las los el al van von der den ter ten bin ibn bint abu st san santa y e af av zu zum und and of the or to in on
		at an as is it by we he me my no so up us do go if`)

	months = words(`january february march april may june july august september october november december
		jan feb mar apr jun jul aug sep oct nov dec`)

	// ambiguous holds names that are also words of calls, and words that stand in the name fields of networks.
	ambiguous = words(`will may mark grace joy hope faith rose bill june april august summer autumn winter spring dawn sky star angel
		art cash chance chase chip don drew grant guy hunter justice king lane lucky major max miles pat pearl penny
		precious princess prince queen ray red rich rocky rod rusty scout skip storm sunny trinity tuesday true van ward
		young long short small little strong good best noble sharp swift wise moody savage sweet bright light day knight
		night week weeks month price cost rate rates banks bank cook carpenter farmer brown black white green gray grey
		silver gold golden bell book booker bond bush brush burns bridge bridges brook brooks camp case chambers church
		cross dial east west north south england english ireland french german holland welsh farm field fields fish
		flood flowers flower forest fox lamb lion bear bird crow hood house houses hill hills holiday home homes hall
		gates gate hand hands head heart hurt hunt ice key keys lake land law lawless lock love low lower loving luck
		man means mills mill moon more most new nice noon oak page pages park parks patch peace pickle place pool pond
		pope post powers power pride print quick rain read reading rider rivers river roads road rock rush sale sales
		school shields shore shoemaker snow song speaks stack staff stark steel stone stones street strange summers sun
		sunday monday friday tank temple tower towers town train trainer valley via wall walls waters water well wheat
		winters wood woods word words worth yard york about after again all also always any are ask back be because been
		before both but buy call can care change check close come could date deal did does down each early easy end even
		ever every family far fast feel few find fine first for from full get give going gone great had half happy hard
		has have her here high him his hour how hundred inn into its just keep know last late later leave left less let
		like line list live look made make many maybe meet might mine minute money much must name near need never next
		not now number off office okay old once one only open order other our out over own paid part pay people please
		plan plus point put quite ready real really right said same save say see send service set she should show side
		some soon sorry stay still such sure take talk tell than that their them then there these they thing think this
		those time today together told tomorrow too total try two under until use very wait want was way went were what
		when where which while who why with work would wrong year yes yet you your company corp corporation inc
		incorporated llc ltd limited group services solutions center centre clinic dental dentist medical health
		hospital hotel restaurant store shop insurance agency associates partners international national american
		america united states city county state department wireless mobile san santa los las saint port fort beach
		springs falls grove plaza square avenue drive court main garden gardens auto motors repair supply systems
		technologies technology media design studio studios construction plumbing electric heating cleaning transport
		travel doctor nurse agent manager support`)
)
