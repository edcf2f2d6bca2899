"""Links against many digits, far into both tails."""

import copy
import pickle

import mpmath as mp
import numpy as np
import pytest

from skloss import losses
from skloss._jit import kernel
from skloss.losses import links
from tests.losses import _ordinal_reference as exact
