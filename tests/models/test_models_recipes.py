"""The packaged recipes make networks that fit their datasets."""

import pytest
import torch

from neurodeploy.models.convnet import build_model
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.recipefiles import packaged_recipes


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_packaged_recipe_makes_a_network_for_its_classes(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    with torch.device("meta"):
        model = build_model(recipe)
    assert sum(parameter.numel() for parameter in model.parameters()) > 1000
