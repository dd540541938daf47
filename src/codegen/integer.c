#include "src/codegen/integer.h"

#include <math.h>

const char *integer_kernel(const struct program *p, const struct step *s)
{
	static const char *const pools[N_POOLS] = {
		"int_pool_mean", "int_pool_max", "int_pool_first"};
	int i8 = s->weight && s->weight->bits == 8;

	switch ((enum step_kind)s->kind) {
	case STEP_EMBED:
		return i8 ? "int_embed_i8" : "int_embed_i4";
	case STEP_POS:
		return "int_add";
	case STEP_QUANT:
		return "int_quant";
	case STEP_LINEAR:
		return i8 ? "int_linear_i8" : "int_linear_i4";
	case STEP_LINEAR_BACK:
		return i8 ? "int_back_i8" : "int_back_i4";
	case STEP_NORM:
		return "int_norm";
	case STEP_CONV:
		return "int_conv";
	case STEP_ATTENTION:
		return "int_attention";
	case STEP_POOL:
		return pools[p->genome->pool];
	case STEP_KEEP: /* refused by genome_check */
	case STEP_ACT:	/* a product's, always */
	case N_STEP_KINDS:
		break;
	}
	return NULL;
}

const char *integer_act_name(const struct program *p)
{
	static const char *const names[N_ACTS] = {"int_relu", "int_gelu", "int_silu"};

	return names[p->genome->act];
}

const struct int_act *integer_act(const struct program *p)
{
	static const struct int_act *const acts[N_ACTS] = {
		&int_relu, &int_gelu, &int_silu};

	return acts[p->genome->act];
}

struct int_factor integer_factor(float x)
{
	struct int_factor f;
	int exp;
	float part = frexpf(x, &exp);

	f.mul = (uint32_t)ldexpf(part, 24);
	f.exp = exp - 24;
	return f;
}

struct int_factor integer_inverse(const struct step *s, const struct act_scales *scales)
{
	if (!s->q_point)
		return (struct int_factor){0, 0};
	return integer_factor(
		1 / act_scale(scales, s->q_layer, (enum quant_point)(s->q_point - 1)));
}

struct int_factor integer_read(const struct step *s, const struct act_scales *scales)
{
	if (!s->src_point)
		return (struct int_factor){0, 0};
	return integer_factor(
		act_scale(scales, s->layer, (enum quant_point)(s->src_point - 1)));
}

int32_t integer_attention_scale(uint32_t d_head)
{
	return (int32_t)lrint((1 << 30) / sqrt((double)d_head));
}
