"""Plays requests on nano-vllm's block manager, a checkout of which is named, and writes how long they took.

Arguments: CHECKOUT PROMPTS RESULT SETTINGS (see python.ts). The package itself is not imported: it wants a GPU.
"""

import json
import sys
import time
import types
from collections import deque

import numpy as np


def block_manager(checkout):
    package = types.ModuleType('nanovllm')
    package.__path__ = [checkout + '/nanovllm']
    sys.modules['nanovllm'] = package
    engine = types.ModuleType('nanovllm.engine')
    engine.__path__ = [checkout + '/nanovllm/engine']
    sys.modules['nanovllm.engine'] = engine
    from nanovllm.engine.block_manager import BlockManager
    from nanovllm.engine.sequence import Sequence

    return BlockManager, Sequence


class Load:
    def __init__(self, checkout, settings):
        manager, self.sequence = block_manager(checkout)
        self.sequence.block_size = settings['blockTokens']
        self.manager = manager(settings['blocks'], settings['blockTokens'])
        self.decoded = settings['decodedTokens']
        self.under_way = settings['underWay']
        self.running = deque()

    def computed(self, sequence, tokens):
        """What its scheduler does after a step."""
        sequence.num_scheduled_tokens = tokens
        self.manager.hash_blocks(sequence)
        sequence.num_cached_tokens += tokens

    def request(self, prompt):
        manager = self.manager
        sequence = self.sequence(prompt)
        cached = manager.can_allocate(sequence)
        if cached < 0:
            raise RuntimeError('no room')
        manager.allocate(sequence, cached)
        self.computed(sequence, len(sequence) - sequence.num_cached_tokens)
        for token in range(self.decoded):
            sequence.append_token(token)
            if not manager.can_append(sequence):
                raise RuntimeError('no room')
            manager.may_append(sequence)
            self.computed(sequence, 1)
        self.running.append(sequence)
        if len(self.running) > self.under_way:
            manager.deallocate(self.running.popleft())


def main():
    checkout, prompt_file, result_file, settings = sys.argv[1:]
    settings = json.loads(settings)
    prompts = np.fromfile(prompt_file, dtype='<i4').reshape(-1, settings['promptTokens']).tolist()
    load = Load(checkout, settings)
    for prompt in prompts[: settings['filling']]:
        load.request(prompt)
    rounds, requests = [], []
    at = settings['filling']
    while at < len(prompts):
        start = time.perf_counter_ns()
        for prompt in prompts[at : at + settings['requests']]:
            before = time.perf_counter_ns()
            load.request(prompt)
            requests.append(time.perf_counter_ns() - before)
        rounds.append(time.perf_counter_ns() - start)
        at += settings['requests']
    with open(result_file, 'w') as out:
        json.dump({'roundsNs': rounds, 'requestsNs': requests}, out)


main()
