package connector

import "hash/fnv"

// assign says which pod does which task. All pods that see the same others come to the same result: each has as many
// tasks as any other, or one more, and when a pod comes or goes few others change hands. pods is sorted; without pods
// nobody does anything.
func assign(tasks int, pods []string) (owners []string) {
	if len(pods) == 0 {
		return nil
	}
	room := make([]int, len(pods))
	for i := range room {
		room[i] = tasks / len(pods)
		if i < tasks%len(pods) {
			room[i]++
		}
	}
	for t := range tasks {
		best := -1
		var most uint64
		for i, pod := range pods {
			if w := weight(pod, t); room[i] > 0 && (best < 0 || w > most) {
				best, most = i, w
			}
		}
		room[best]--
		owners = append(owners, pods[best])
	}
	return owners
}

func weight(pod string, task int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{byte(task), byte(task >> 8)})
	_, _ = h.Write([]byte(pod))
	x := h.Sum64() // names that differ in their last letter differ in few bits of it
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
